"""The command `fastgan bench`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastgan._support import extras

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `bench` to the application `app` of the module `typer`."""

    def command(
        quick: bool = typer.Option(
            False,
            "--quick",
            help="Measure fewer cases in fewer rounds, without torch.compile, in less than a minute.",
            show_default="off, a quarter of an hour",
        ),
        device: str = typer.Option("cpu", help="Where to measure: cpu or cuda."),
        threads: int = typer.Option(0, help="CPU threads of the cases that use several; 0 takes all processors."),
        only: str = typer.Option("", help="Measure only the cases whose name contains this.", show_default="all cases"),
        json: str = typer.Option(None, help="Write the machine and the results to this file.", show_default="none"),
        plot: str = typer.Option(
            None, help="Draw bar charts and a roofline plot into this folder.", show_default="none"
        ),
        compare: str = typer.Option(
            None,
            help="Compare with this file, which --json wrote earlier; exit with 1 on a regression.",
            show_default="none",
        ),
        threshold: float = typer.Option(0.1, help="Slowdown that --compare calls a regression: 0.1 is 10% slower."),
    ) -> Callable[[], None]:
        def action() -> None:
            extras.check(["rich"], "bench")
            from fastgan.bench import Options, run_benchmarks

            json_path, plot_path, compare_path = (Path(name) if name else None for name in (json, plot, compare))
            code = run_benchmarks(Options(quick, device, threads, only, json_path, plot_path, compare_path, threshold))
            if code:
                sys.exit(code)

        return action

    app.command("bench", help="Time every fused op against PyTorch and a copy of the same bytes.")(command)
