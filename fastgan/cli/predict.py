"""`fastgan predict`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgan._support.extras import check
from fastgan._support.files import write_atomic, write_with
from fastgan._support.process import threads
from fastgan.cli._table_flags import table_flags
from fastgan.cli._terminal import Action, check_output

if TYPE_CHECKING:
    from fastgan.data.table import TableOptions

__all__ = ["add_command"]


def add_command(app: Any, typer: Any) -> None:
    """Add `predict` to the application `app` of the module `typer`."""
    flags = table_flags(typer)

    def _predict(
        run: str = typer.Argument(metavar="RUN", help="A folder of fastgan fit, of a table."),
        source: str = typer.Argument(metavar="IN.CSV", help="A table with the columns that the model was fitted to."),
        target: str = typer.Argument(metavar="OUT.CSV", help="The table to write: IN.CSV with the predictions."),
        separator: str = flags.separator,
        decimal: str = flags.decimal,
        header: str = flags.header,
        encoding: str = flags.encoding,
        threads: int = typer.Option(1, help="CPU threads; 0 leaves torch's number."),
    ) -> Action:
        from fastgan.data.table import TableOptions

        options = TableOptions(separator=separator, decimal=decimal, header=header, encoding=encoding)
        return partial(predict, run, source, target, options, threads)

    app.command("predict", help=predict.__doc__)(_predict)


def predict(run: str, source: str, target: str, options: TableOptions, cpu_threads: int) -> None:
    """Predict the target of each row of a table by a model of `fastgan fit`; the table is copied as it is."""
    import numpy as np

    from fastgan.data.table import read_table
    from fastgan.data.table.scan import rewrite
    from fastgan.supervised.saved import load_fit

    check(("pandas", "safetensors"))
    fitted = load_fit(run)
    check_output(source, target, "predict")
    table = read_table(source, options)
    with threads(cpu_threads):
        found, notes = fitted.predict(table)
    print("\n".join([*table.notes[:1], *notes]))
    taken = [name for name in found if name in table.frame.columns]
    if taken:
        raise ValueError(f"predict: expected {source} without a column '{taken[0]}', which is to be written, got one")
    if table.dialect is None:
        frame = table.frame.assign(**found)
        write_with(Path(target), lambda file: frame.to_parquet(file, index=False))
    else:
        mark = table.dialect.decimal
        columns = [
            [f"{v:.6g}".replace(".", mark) if v.dtype.kind == "f" else str(v) for v in x] for x in found.values()
        ]
        cells = list(map(list, zip(*columns, strict=True)))
        cells = [list(found), *cells] if table.dialect.header else cells
        text = rewrite(table.text(), table.dialect, {}, cells, len(table.frame.columns) == 1)
        write_atomic(Path(target), table.encoded(text))
    line = f"predicted '{fitted.target}' of {len(table.frame):,} rows: {target}"
    if fitted.classes:
        names, counts = np.unique(next(iter(found.values())), return_counts=True)
        line += f" ({', '.join(f'{count:,} {name}' for name, count in list(zip(names, counts, strict=True))[:8])})"
    print(line)
