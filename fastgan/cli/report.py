"""`fastgan report`."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastgan._support.extras import check
from fastgan.cli._terminal import Action

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `report` to the application `app` of the module `typer`."""

    def _report(
        runs: list[str] = typer.Argument(  # noqa: B008 - how typer is told
            metavar="RUN...", help="Run folders of fastgan train; several are compared."
        ),
        out: str = typer.Option(None, help="The page to write, ending in .html.", show_default="report.html in RUN"),
        measure: bool = typer.Option(
            True, "--measure/--no-measure", help="Measure runs that fastgan eval has not measured."
        ),
    ) -> Action:
        return partial(report, runs, out, measure)

    app.command("report", help=report.__doc__)(_report)


def report(runs: list[str], out: str | None, measure: bool) -> None:
    """Write one HTML page about a run, or several compared: curves, pictures through the training, scores."""
    check(("jinja2", "PIL", "safetensors"))
    from fastgan.report import write_report

    path = write_report(runs, out, measure)
    print(f"written to {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser")
