"""`fastgan impute`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgan._support.extras import require
from fastgan._support.files import write_atomic
from fastgan._support.process import threads
from fastgan.cli._table_flags import table_flags, table_options
from fastgan.cli._terminal import Action, check_output

if TYPE_CHECKING:
    from fastgan.data.table import TableOptions

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `impute` to the application `app` of the module `typer`."""
    flags = table_flags(typer)

    def _impute(
        source: str = typer.Argument(
            metavar="IN.CSV", help="A table; cells that are empty, NA, #N/A, NaN, null or ? are missing."
        ),
        target: str = typer.Argument(metavar="OUT.CSV", help="The table to write, with the missing cells filled in."),
        keep: str = typer.Option(
            "", help="Columns to copy and not to learn from, with commas, as id,name.", show_default="none"
        ),
        columns: str = flags.columns,
        text: str = flags.text,
        separator: str = flags.separator,
        decimal: str = flags.decimal,
        header: str = flags.header,
        encoding: str = flags.encoding,
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
        options = table_options(separator, decimal, header, encoding, keep, columns, text)
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
        return partial(impute, source, target, options=options, settings=settings, cpu_threads=threads)

    app.command("impute", help=impute.__doc__)(_impute)


def impute(source: str, target: str, *, options: TableOptions, settings: dict[str, Any], cpu_threads: int) -> None:
    """Fill in a table's missing cells with a GAN (GAIN); all other cells stay as they are, to the byte."""
    from fastgan.data.table import infer_schema, read_table
    from fastgan.tabular.fill import fill_table, learnable

    imputer = require("fastgan.tabular.impute").GAINImputer(**settings)
    check_output(source, target, "impute")
    table = read_table(source, options)
    schema, notes = learnable(table, *infer_schema(table, options))
    print("\n".join([*table.notes, *notes]))
    if schema.width == 0:
        raise ValueError(f"impute: expected columns to learn from in {source}, got none")
    with threads(cpu_threads):
        filled = fill_table(table, schema, imputer)
    write_atomic(Path(target), filled.content)
    print(f"filled in {filled.count:,} of {filled.cells:,} cells ({filled.count / filled.cells:.1%}): {target}")
    if filled.left:
        print(f"{filled.left:,} missing cells of columns that were left out stay missing")
