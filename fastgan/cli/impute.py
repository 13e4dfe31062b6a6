"""`fastgan impute`."""

from __future__ import annotations

import csv
import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastgan._support.extras import require
from fastgan._support.files import write_atomic
from fastgan._support.process import threads
from fastgan.cli._terminal import Action

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `impute` to the application `app` of the module `typer`."""

    def _impute(
        source: str = typer.Argument(
            metavar="IN.CSV", help="A table; cells that are empty, NA, NaN, null or ? are missing."
        ),
        target: str = typer.Argument(metavar="OUT.CSV", help="The table to write, with the missing cells filled in."),
        keep: str = typer.Option(
            "", help="Columns to copy and not to learn from, with commas, as id,name.", show_default="none"
        ),
        steps: int = typer.Option(3000, help="Largest number of updates of D and of G."),
        batch_size: int = typer.Option(128, help="Samples in each update."),
        hidden: int = typer.Option(
            0, help="Width of the hidden layers; 0 takes the number of columns, but at least 16."
        ),
        dropout: float = typer.Option(0.0, help="Dropout probability in D."),
        hint_rate: float = typer.Option(0.9, help="Share of the mask of missing cells that D is told."),
        alpha: float = typer.Option(100.0, help="Weight of the reconstruction loss in G's loss."),
        lr: float = typer.Option(1e-3, help="Adam's learning rate."),
        validation_fraction: float = typer.Option(
            0.1, help="Share of the known values that are hidden to tell when to stop."
        ),
        seed: int = typer.Option(0, help="Seed of every random choice."),
        device: str = typer.Option("auto", help="cpu, cuda, cuda:N, or auto: a GPU where there is one."),
        threads: int = typer.Option(1, help="CPU threads; 0 leaves torch's number."),
    ) -> Action:
        settings = {
            "steps": steps,
            "batch_size": batch_size,
            "hidden": hidden,
            "dropout": dropout,
            "hint_rate": hint_rate,
            "alpha": alpha,
            "lr": lr,
            "validation_fraction": validation_fraction,
            "random_state": seed,
            "device": device,
        }
        return partial(impute, source, target, keep=keep, settings=settings, cpu_threads=threads)

    app.command("impute", help=impute.__doc__)(_impute)


def impute(source: str, target: str, *, keep: str, settings: dict[str, Any], cpu_threads: int) -> None:
    """Fill in a table's missing cells with a GAN (GAIN); all other cells are copied as they are written."""
    from fastgan.data.tables import read_table

    imputer = require("fastgan.tabular.impute").GAINImputer(**settings)
    folder = Path(target).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"impute: expected the folder {folder} of OUT.CSV to exist")
    if Path(target).is_dir() or (Path(target).exists() and Path(source).exists() and Path(target).samefile(source)):
        raise ValueError(f"impute: expected OUT.CSV to be another file than IN.CSV and no folder, got '{target}'")
    table = read_table(source)
    kept = table.columns([name.strip() for name in keep.split(",") if name.strip()])
    learnt = [i for i in range(len(table.names)) if i not in kept]
    if not learnt:
        raise ValueError(f"impute: expected columns beside those of --keep in {source}, got none")
    values = table.numbers(learnt, missing=True)
    missing = np.isnan(values)
    if missing.any():
        with threads(cpu_threads):
            filled = imputer.fit_transform(values)
        for i, j in zip(*np.nonzero(missing), strict=True):
            table.cells[i][learnt[j]] = f"{filled[i, j]:.9g}"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.names, *table.cells] if table.has_header else table.cells)
    write_atomic(Path(target), text.getvalue().encode())
    print(f"filled in {missing.sum()} of {missing.size} cells ({missing.mean():.1%}): {target}")
