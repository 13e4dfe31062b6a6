"""`fastgan translate`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from fastgan.cli._arguments import check_count_and_seed
from fastgan.cli._terminal import Action

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `translate` to the application `app` of the module `typer`."""

    def _translate(
        run: str = typer.Argument(metavar="RUN", help="A run folder of fastgan train --recipe pix2pix."),
        source: str = typer.Argument(metavar="IN", help="An image file, or a folder of them."),
        out: str = typer.Argument(
            metavar="OUT", help="The file or folder to write; files of a folder keep their names."
        ),
        seed: int = typer.Option(0, help="Seed of the noise: the same seed gives the same translations."),
        noise: bool = typer.Option(True, "--noise/--no-noise", help="Draw the generator's noise, its dropout."),
        resize: bool = typer.Option(
            False,
            "--resize",
            help="Bring images of any size to the scale of the training, and translations back to the images' size.",
            show_default="off",
        ),
        make_inputs: bool = typer.Option(
            False,
            "--make-inputs",
            help="Take the files for targets, such as photos, and make inputs of them as the training did.",
            show_default="off",
        ),
        best: bool = typer.Option(
            False,
            "--best",
            help="Use the weights with the lowest FID, which fastgan train --eval-every kept.",
            show_default="off, the newest weights",
        ),
    ) -> Action:
        return partial(translate, run, source, out, seed, noise, resize, make_inputs, best)

    app.command("translate", help=translate.__doc__)(_translate)


def translate(
    run: str, source: str, out: str, seed: int, noise: bool, resize: bool, make_inputs: bool, best: bool
) -> None:
    """Translate images by a run of pix2pix: colour them, fill holes, enlarge them, or what its pairs taught it."""
    from fastgan.train import load_run
    from fastgan.train.translate_files import FileSettings, translate_files

    check_count_and_seed("translate", 1, seed)
    trained = load_run(run, best)
    settings = FileSettings(seed, noise, resize, make_inputs)
    written = translate_files(trained, source, out, settings, _say)
    what = "image" if len(written) == 1 else "images"
    print(f"translated {len(written):,} {what} by step {trained.step} to {written[0] if len(written) == 1 else out}")


def _say(text: str) -> None:
    """Print a note, apart from the results on stdout."""
    print(f"translate: {text}", file=sys.stderr, flush=True)
