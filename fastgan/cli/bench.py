"""The command `fastgan bench`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastgan._support import extras

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `bench` to the typer application."""

    def command(
        quick: bool = typer.Option(False, "--quick", help="In less than a minute, without torch.compile."),
        device: str = typer.Option("cpu", help="cpu or cuda."),
        threads: int = typer.Option(0, help="Of the cases that use several; 0: all processors."),
        only: str = typer.Option("", help="Cases whose name contains this."),
        json: str = typer.Option(None, help="Write machine and results to this file."),
        plot: str = typer.Option(None, help="Draw bars and a roofline into this folder."),
        compare: str = typer.Option(None, help="Compare with this earlier file; exit 1 on a regression."),
        threshold: float = typer.Option(0.1, help="Slowdown that counts as a regression."),
    ) -> Callable[[], None]:
        def action() -> None:
            extras.check(["rich"], "bench")
            from fastgan.bench.suite import Options, bench

            json_path, plot_path, compare_path = (Path(name) if name else None for name in (json, plot, compare))
            code = bench(Options(quick, device, threads, only, json_path, plot_path, compare_path, threshold))
            if code:
                sys.exit(code)

        return action

    app.command("bench", help="Time every fused op against PyTorch and a copy of the same bytes.")(command)
