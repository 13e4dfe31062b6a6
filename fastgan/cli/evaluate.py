"""`fastgan eval`."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from functools import partial
from typing import Any

from fastgan.cli._terminal import Action

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `eval` to the application `app` of the module `typer`."""

    def _eval(
        run: str = typer.Argument(metavar="RUN", help="A run folder of fastgan train."),
        n: int = typer.Option(2000, help="Number of generated samples to measure."),
        seed: int = typer.Option(0, help="Seed of the generated samples."),
        data: str = typer.Option(
            None,
            help="Real samples to compare with: digits, or folder:PATH and the like.",
            show_default="those of the training",
        ),
        features: str = typer.Option(
            "",
            metavar="MODULE:NAME",
            help="Your own feature extractor for FID and KID.",
            show_default="one that is learned from the data",
        ),
        best: bool = typer.Option(
            False,
            "--best",
            help="Measure the weights with the lowest FID, which fastgan train --eval-every kept.",
            show_default="off, the newest weights",
        ),
        target: str = typer.Option(
            None,
            help="Column of a table that a model trained on samples predicts.",
            show_default="label, or the last that holds numbers or few categories",
        ),
    ) -> Action:
        return partial(evaluate, run, n, seed, data, features, best, target)

    app.command("eval", help=evaluate.__doc__)(_eval)


def evaluate(run: str, n: int, seed: int, data: str | None, features: str, best: bool, target: str | None) -> None:
    """Measure a trained run: FID and KID, precision and recall, memorisation, and more where the data have labels."""
    from fastgan._support.files import write_atomic
    from fastgan.metrics.features import load_features
    from fastgan.metrics.report import evaluate as measure
    from fastgan.metrics.report import table
    from fastgan.train import load_run
    from fastgan.train.run_data import run_data

    sys.path.append(os.getcwd())  # for a module of the user's own
    extractor = load_features(features) if features else None
    trained = load_run(run, best)
    real_data = run_data(trained, data)
    if data is not None:
        trained = dataclasses.replace(trained, config=trained.config.replace(data=data), passed={})
    ours, real, notes = measure(trained, real_data.data, real_data.held_out, n, seed, extractor, _say, target)
    print(table(ours, real))
    for note in (*real_data.notes, *notes):
        print(note)
    about = {"step": trained.step, "samples": n, "seed": seed, "k": 5, "features": features or "learned"}
    about["data"] = trained.data
    content = json.dumps({**about, **ours, "real": real}, indent=2, allow_nan=False) + "\n"
    write_atomic(trained.path / "eval.json", content.encode())
    print(f"written to {trained.path / 'eval.json'}")


def _say(stage: str) -> None:
    """Print what is done next, apart from the results on stdout."""
    print(f"eval: {stage}", file=sys.stderr, flush=True)
