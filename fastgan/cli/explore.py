"""`fastgan explore`."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastgan._support.extras import check
from fastgan.cli._terminal import Action

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `explore` to the application `app` of the module `typer`."""

    def _explore(
        run: str = typer.Argument(metavar="RUN", help="A run folder of fastgan train."),
        port: int = typer.Option(7860, min=1, max=65535, help="Port of the page on 127.0.0.1."),
        browser: bool = typer.Option(True, "--browser/--no-browser", help="Open the page in the browser."),
    ) -> Action:
        return partial(explore, run, port, browser)

    app.command("explore", help=explore.__doc__)(_explore)


def explore(run: str, port: int, browser: bool) -> None:
    """Play with a run in a page on this machine: seed, truncation, class, interpolation, latent directions."""
    check(("gradio",), "explore")
    from fastgan.explore.page import open_page

    open_page(run, port, browser)
