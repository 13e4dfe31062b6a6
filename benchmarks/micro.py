"""Time every fused op against eager PyTorch, torch.compile and a copy, as `fastgan bench` does.

`python benchmarks/micro.py --help` lists the settings. It works on the base install, without typer; without rich the
tables are plain text.
"""

import argparse
import sys
from pathlib import Path

from fastgan._support.extras import MissingExtraError
from fastgan.bench import Options, run_benchmarks


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="fewer cases and rounds, without torch.compile, in less than a minute"
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument(
        "--threads", type=int, default=0, help="CPU threads of the cases that use several; 0 takes all processors"
    )
    parser.add_argument("--only", default="", help="measure only the cases whose name contains this")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    parser.add_argument("--plot", type=Path, help="draw bar charts and a roofline plot into this folder")
    parser.add_argument("--compare", type=Path, help="compare with this earlier file; exit with 1 on a regression")
    parser.add_argument("--threshold", type=float, default=0.1, help="slowdown that --compare calls a regression")
    try:
        sys.exit(run_benchmarks(Options(**vars(parser.parse_args()))))
    except (MissingExtraError, ValueError, FileNotFoundError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
