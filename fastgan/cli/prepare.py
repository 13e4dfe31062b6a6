"""`fastgan prepare`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from fastgan._support.extras import require
from fastgan.cli._terminal import Action

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `prepare` to the application `app` of the module `typer`."""

    def _prepare(
        data: str = typer.Argument(metavar="DATA", help="What to prepare, as train --data names it: folder:PATH."),
        out: str = typer.Option(..., help="The folder to write; train --data prepared:OUT reads it."),
        image_size: int = typer.Option(
            0, help="Side in pixels of the square to which images are cropped and resized; 0 keeps their size."
        ),
        color: str = typer.Option("auto", help="grey, rgb, or auto: grey if all images are grey, else rgb."),
        background: str = typer.Option("white", help="Colour under transparent images: white, black or #rrggbb."),
        strict: bool = typer.Option(
            False, "--strict", help="Refuse a broken image instead of leaving it out.", show_default="off"
        ),
        reverse: bool = typer.Option(
            False,
            "--reverse",
            help="Of pairs, take the right image, or that of folder B, for the input.",
            show_default="off",
        ),
        workers: int = typer.Option(0, min=0, help="Threads that decode images; 0 uses none."),
    ) -> Action:
        return partial(prepare, data, out, image_size, color, background, strict, workers, reverse)

    app.command("prepare", help=prepare.__doc__)(_prepare)


def prepare(
    data: str,
    out: str,
    image_size: int,
    color: str,
    background: str,
    strict: bool,
    workers: int,
    reverse: bool,
) -> None:
    """Decode, crop and resize images once, into a folder that training reads from disk, of any size."""
    from fastgan.data import load
    from fastgan.data.prepared import prepare as write

    if Path(out).exists():
        raise ValueError(f"prepare: expected a new folder for --out, got {out}, which exists")
    loaded = load(data, image_size, strict, color, workers, background, keep=False, reverse=reverse)
    with require("tqdm").tqdm(total=len(loaded), unit="sample", unit_scale=True, dynamic_ncols=True) as bar:
        write(loaded, out, bar.update)
    for note in loaded.notes:
        print(f"prepare: {note}")
    written = load(f"prepared:{out}")
    shape = " x ".join(map(str, written.sample_shape))
    classes = f", {len(written.class_names)} classes" if written.class_names else ""
    classes += f", with inputs of {' x '.join(map(str, written.input_shape))}" if written.inputs else ""
    print(f"wrote {len(written):,} samples of {shape}{classes}; train with --data prepared:{out}")
