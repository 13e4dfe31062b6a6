"""`fastgan synth`."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgan._support.extras import check, require
from fastgan.cli._table_flags import parse_conditions, table_flags, table_options
from fastgan.cli._terminal import Action, check_output

if TYPE_CHECKING:
    from fastgan.data.table import TableOptions

__all__ = ["add_command"]

_MOST_COMPARED = 20_000  # rows that the closing table compares


def add_command(app: Any, typer: Any) -> None:
    """Add `synth` to the application `app` of the module `typer`."""
    flags = table_flags(typer)

    def _synth(
        source: str = typer.Argument(metavar="IN.CSV", help="A table to learn from, as text or Parquet."),
        target: str = typer.Argument(metavar="OUT.CSV", help="The table of synthetic rows to write."),
        rows: int = typer.Option(None, min=0, help="Synthetic rows.", show_default="as many as IN.CSV has"),
        condition: list[str] = flags.condition,
        discrete: str = typer.Option(
            "", help="Columns of numbers that are categories, with commas.", show_default="those of at most 20 values"
        ),
        epochs: int = typer.Option(300, min=1, help="Passes over the table."),
        seed: int = typer.Option(0, min=0, help="Seed of every random choice."),
        drop: str = flags.drop,
        columns: str = flags.columns,
        text: str = flags.text,
        separator: str = flags.separator,
        decimal: str = flags.decimal,
        header: str = flags.header,
        encoding: str = flags.encoding,
        device: str = typer.Option("auto", help="cpu, cuda, cuda:N, or auto: a GPU where there is one."),
        threads: int = typer.Option(0, min=0, help="CPU threads; 0 takes torch's number."),
        model: str = typer.Option(
            None, help="File for the trained model, for TabularGAN.load.", show_default="it is not kept"
        ),
    ) -> Action:
        options = table_options(separator, decimal, header, encoding, drop, columns, text, discrete)
        settings = {"epochs": epochs, "seed": seed, "device": device, "cpu_threads": threads}
        return partial(
            synth,
            source,
            target,
            rows=rows,
            conditions=condition,
            options=options,
            settings=settings,
            model=model,
        )

    app.command("synth", help=synth.__doc__)(_synth)


def synth(
    source: str,
    target: str,
    *,
    rows: int | None,
    conditions: list[str],
    options: TableOptions,
    settings: dict[str, Any],
    model: str | None,
) -> None:
    """Learn a table with a conditional GAN and write synthetic rows: same columns, types, ranges and spellings."""
    check(("pandas", "safetensors", "tqdm"))
    from fastgan.data.table import infer_schema, read_table, write_table
    from fastgan.tabular import TabularGAN

    asked = parse_conditions("synth", conditions)
    gan = TabularGAN(**settings)
    check_output(source, target, "synth")
    if model is not None and not Path(model).parent.is_dir():
        raise FileNotFoundError(f"synth: expected the folder {Path(model).parent} of --model to exist")
    table = read_table(source, options)
    schema, notes = infer_schema(table, options)
    start = time.perf_counter()
    gan.prepare(table.frame, options.discrete, schema)
    for name, value in asked.items():
        gan.encoding.condition(name, value)  # before minutes of training
    print("\n".join([*table.notes, *notes, *gan.encoding.shared]))
    with require("tqdm").tqdm(unit="step", dynamic_ncols=True, mininterval=0.2 if sys.stderr.isatty() else 20) as bar:

        def advance(step: int, steps: int, statistics: dict[str, float]) -> None:
            bar.total = steps
            bar.update()

        gan.fit(table.frame, options.discrete, progress=advance, schema=schema)
    seconds = time.perf_counter() - start
    count = len(table.frame) if rows is None else rows
    write_table(gan.chunks(count, asked, seed=settings["seed"]), schema, Path(target))
    if model is not None:
        gan.save(model)
    _report(gan, schema.typed(table.frame), seconds)
    print(f"wrote {count:,} rows: {target}")


def _report(gan: Any, real: Any, seconds: float) -> None:
    """Print how alike synthetic and real rows are, beside two halves of the real ones."""
    from fastgan.metrics.fidelity import fidelity, invalid_share

    names, categories = list(real.columns), [c.name for c in gan.encoding.categories]
    mixed = real.sample(frac=1, random_state=0)
    made = gan.sample(min(len(real), _MOST_COMPARED), seed=1)[names]
    half = len(mixed) // 2
    found = fidelity(real, made, categories), fidelity(mixed[:half], mixed[half:], categories)
    print(f"{'':<34}{'synthetic':>12}{'real halves':>14}")
    for label, field in (("columns alike", "marginals"), ("pairs of columns alike", "pairs"), ("quality", "score")):
        print(f"{label:<34}{getattr(found[0], field):>12.3f}{getattr(found[1], field):>14.3f}")
    print(f"{'cells that could not be':<34}{invalid_share(real, made):>12.3f}{0.0:>14.3f}")
    print(f"trained {len(real):,} rows in {seconds:.1f} s")
