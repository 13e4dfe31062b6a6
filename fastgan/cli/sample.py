"""`fastgan sample`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgan.cli._arguments import check_count_and_seed
from fastgan.cli._array_files import write_npy, write_npz
from fastgan.cli._table_flags import parse_conditions, table_flags
from fastgan.cli._terminal import Action

if TYPE_CHECKING:
    from torch import Tensor

    from fastgan.train import Run

__all__ = ["add_command"]

_ARRAYS, _PICTURES, _TABLES = (".npz", ".npy"), (".png", ".jpg", ".jpeg"), (".csv", ".tsv", ".parquet", ".pq")


def add_command(app: Any, typer: Any) -> None:
    """Add `sample` to the application `app` of the module `typer`."""
    flags = table_flags(typer)

    def _sample(
        run: str = typer.Argument(metavar="RUN", help="A run folder of fastgan train."),
        n: int = typer.Option(64, help="Number of samples."),
        seed: int = typer.Option(0, help="Seed of the samples: the same seed gives the same samples."),
        out: str = typer.Option(
            "samples.npz",
            help="File to write: an array if it ends in .npz or .npy, a picture if in .png or .jpg, and of a run of a "
            "table a table if in .csv, .tsv or .parquet.",
        ),
        best: bool = typer.Option(
            False,
            "--best",
            help="Use the weights with the lowest FID, which fastgan train --eval-every kept.",
            show_default="off, the newest weights",
        ),
        truncation: float = typer.Option(
            None,
            help="Draw again latents larger than this, in absolute value: samples get more typical and less varied.",
            show_default="none",
        ),
        condition: list[str] = flags.condition,
    ) -> Action:
        return partial(sample, run, n, seed, out, best, truncation, condition)

    app.command("sample", help=sample.__doc__)(_sample)


def sample(
    run: str, n: int, seed: int, out: str, best: bool, truncation: float | None, condition: Sequence[str] = ()
) -> None:
    """Draw samples from a trained run, as an array in the data's own units, as a table or as a picture."""
    import numpy as np

    from fastgan._support.files import write_with
    from fastgan.data.labels import class_values
    from fastgan.data.table import TableSchema
    from fastgan.train import load_run
    from fastgan.train.pictures import is_image, make_grid, save_picture

    check_count_and_seed("sample", n, seed)
    asked = parse_conditions("sample", condition)
    target = Path(out)
    kind = target.suffix.lower()
    if kind not in _ARRAYS + _PICTURES + _TABLES:
        endings = f"{', '.join(_ARRAYS + _PICTURES)} or {', '.join(_TABLES)}"
        raise ValueError(f"sample: expected --out to end in {endings}, got '{out}'")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"sample: expected the folder {target.parent} of --out to exist")
    trained = load_run(run, best)
    trained.check_translates("sample", translates=False)
    shape = trained.sample_shape
    if kind in _PICTURES and not is_image(shape):
        raise ValueError(f"sample: expected images for a {kind}, got samples of shape {shape}")
    if kind in _PICTURES and kind != ".png" and shape[0] == 4:
        raise ValueError(f"sample: expected images of 1 or 3 channels for a {kind}, got 4; a .png takes them")
    batches = trained.batches(n, seed, truncation=truncation, conditions=asked)
    restored = (trained.units.restore(batch) for batch in batches)
    if kind in _PICTURES:
        names = trained.names_of(trained.labels(n)) if trained.classes else []
        save_picture(make_grid((image for batch in batches for image in batch), n, names), target)
    elif kind in _TABLES:
        _write_table(batches, trained, n, seed, target)
    elif kind == ".npy":
        write_with(target, lambda file: write_npy(file, restored, n))
    else:
        arrays: dict[str, Any] = {"samples": restored}
        if trained.classes:
            arrays["labels"] = class_values(trained.class_names)[trained.labels(n).numpy()]
            arrays["class_names"] = np.array(trained.class_names)
        if trained.units.table is not None:
            arrays["columns"] = np.array(TableSchema.from_dict(trained.units.table).names)
        if trained.units.layout:
            arrays["layout"] = np.array(trained.units.layout)
        write_with(target, lambda file: write_npz(file, n, **arrays))
    print(f"wrote {n} samples of step {trained.step} to {target}")


def _write_table(batches: Iterable[Tensor], trained: Run, n: int, seed: int, target: Path) -> None:
    """Write samples as the table that they were learnt from: its columns, order, dtypes, decimals and spellings."""
    from fastgan.data.table import TableSchema, write_table

    if trained.units.table is None:
        raise ValueError(
            f"sample: expected a run of csv:PATH or parquet:PATH for a {target.suffix}, got one of {trained.data}"
        )
    schema = TableSchema.from_dict(trained.units.table)
    labels = trained.labels(n).tolist() if trained.classes else None

    def frames() -> Iterator[Any]:
        first = 0
        for batch in batches:
            last = first + len(batch)
            if trained.encoding is not None:
                yield trained.encoding.decode(batch, seed, first)
            else:
                rows = trained.units.restore(batch)
                yield schema.decode(rows, None if labels is None else labels[first:last], first)
            first = last

    write_table(frames(), schema, target)
