"""What `images.py` and `translation.py` share: their options, their files of results, the machine of these in words."""

import argparse
import json
from pathlib import Path
from typing import Any

from fastgan import bench
from fastgan._support.files import write_atomic


def add_options(parser: argparse.ArgumentParser, script: str) -> None:
    """The options of both; the file of results is `script`.json by default."""
    parser.add_argument("--minutes", type=float, default=15.0, help="of training in each run")
    parser.add_argument("--cores", type=int, default=2, help="CPU threads of the training")
    parser.add_argument(
        "--json", type=Path, default=Path(f"{script}.json"), help=f"default: {script}.json in the current folder"
    )
    parser.add_argument("--plot", type=Path, help="draw pictures of samples into this folder")
    parser.add_argument("--cache", type=Path, default=Path("runs/image-sets"), help="where drawn sets are kept")
    parser.add_argument("--quick", action="store_true", help="a try of some seconds, whose scores mean nothing")
    parser.add_argument("--page", action="store_true", help="write the tables of the documentation's page")


def read_results(path: Path, cores: int, script: str, *parts: str) -> dict[str, Any]:
    """The content of a file of results, or the start of a new one, with empty `parts` beside machine and cores.

    Raises:
        ValueError: for a file of another script.
    """
    if not path.exists():
        return {"machine": bench.machine("cpu"), "cores": cores, **{part: {} for part in parts}}
    content = json.loads(path.read_text())
    if not {"machine", "cores", *parts} <= set(content):
        raise ValueError(f"{script}: expected --json to be new or a file of this script, got {path}")
    return content


def write_results(path: Path, content: dict[str, Any]) -> None:
    """Write a file of results, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(content, indent=2) + "\n").encode())


def measured_on(content: dict[str, Any]) -> str:
    """The machine, its threads, torch's version and the date of results, as a line."""
    machine, cores = content["machine"], content["cores"]
    return f"{machine['processor']}, {cores} thread{'s' * (cores > 1)}, torch {machine['torch']}, {machine['date']}."
