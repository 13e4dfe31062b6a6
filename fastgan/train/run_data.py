"""The data to compare a run with: those that it was trained on, or others, in the run's own units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from fastgan.data import FROM_PATH, Data, check_spec
from fastgan.data.fingerprint import difference
from fastgan.data.labels import listed
from fastgan.data.table import Table, TableSchema, read_table
from fastgan.data.table.apply import check_like, encode_like, in_dialect_of
from fastgan.data.table.source import label_of
from fastgan.data.table.units import EncodedUnits
from fastgan.data.table_files import encoded_data
from fastgan.train.saved_run import Run
from fastgan.train.setup import load_data

__all__ = ["RunData", "check_there", "in_units_of", "run_data"]


@dataclass(frozen=True)
class RunData:
    """Data to compare a run with.

    Attributes:
        data: the data, or what of them is not held out.
        held_out: the share `config.holdout` of them that was not trained on; None if that is 0.
        notes: how they differ from the data of the training, in sentences without a full stop.
    """

    data: Data
    held_out: Data | None = None
    notes: list[str] = field(default_factory=list)


def check_there(op: str, spec: str) -> None:
    """Refuse data of a run that are no longer where they were.

    Args:
        op: what asks for them, such as the command.
        spec: the run's setting `data`.

    Raises:
        FileNotFoundError: with the path.
    """
    kind, path = check_spec(spec)
    if path and not FROM_PATH[kind].pattern and not Path(path).exists():
        raise FileNotFoundError(
            f"{op}: expected the data of the run in '{path}', found none there; --data {kind}:PATH tells where they "
            "are now"
        )


def run_data(run: Run, spec: str | None = None, op: str = "eval", whole: bool = False) -> RunData:
    """Load the data of a run, or others that are to be compared with it.

    Others are scaled as those of the run were, their classes are numbered as there by their names, and a table is
    encoded by the run's own columns. What a table has that the run's does not know is named in the notes.

    Args:
        run: the run.
        spec: the data's name, or None for those of the run.
        op: what asks for them, for messages.
        whole: hold nothing out.

    Raises:
        ValueError: for a run of data that were passed to `GANTrainer` if there is no `spec`, for data that cannot be
            read, a class that a conditional run does not have, or a table without the run's columns.
        FileNotFoundError: where the data do not exist.
    """
    if spec is None and "data" in run.passed:
        raise ValueError(
            f"{op}: expected --data with {run.path}, whose data ({run.passed['data']}) were passed to GANTrainer in "
            "Python, got none"
        )
    if spec is None:
        check_there(op, run.config.data)
    config = run.config if spec is None else run.config.replace(data=spec)
    kind, path = check_spec(config.data)
    if run.units.table is not None and kind in ("csv", "parquet") and spec is not None:
        data, notes = _table_like(run, path)
    else:
        data, notes = load_data(config.replace(holdout=0.0))[0], []
        changed = difference(run.fingerprint, data.base_fingerprint)
        if changed and run.units.table is not None and kind in ("csv", "parquet"):
            data, notes = _table_like(run, path)
        elif changed:
            data = in_units_of(run, data)
    if changed := difference(run.fingerprint, data.base_fingerprint):
        notes = [f"the data '{config.data}' are not those of the training: {changed}", *notes]
    if not config.holdout or whole:
        return RunData(data, None, notes)
    return RunData(*data.split(config.holdout), notes)


def _table_like(run: Run, path: str) -> tuple[Data, list[str]]:
    """A table encoded by the columns of the run's, and remarks on what that does not know."""
    assert run.units.table is not None  # the caller looked
    # The run's columns are taken, whatever others there are.
    options = replace(run.config.table, drop=(), columns=(), text=(), discrete=())
    table, schema = read_table(path, options), TableSchema.from_dict(run.units.table)
    if isinstance(run.units, EncodedUnits):
        schema = in_dialect_of(table, schema)
        notes = check_like(table, schema)
        data = encoded_data(table.frame, run.units.in_dialect(schema.dialect), path, strict=False)
        return Data(data.source, None, run.units, (), path), notes
    rows, notes = encode_like(table, schema)
    labels = _labels_like(run, table)
    return Data(torch.from_numpy(rows), labels, run.units, run.class_names if labels is not None else (), path), notes


def _labels_like(run: Run, table: Table) -> Tensor | None:
    """The run's class of each row; None where the table has no labels, or an unconditional run others."""
    name = label_of(table)
    if name is None or not run.class_names:
        return None
    number = {text: i for i, text in enumerate(run.class_names)}
    # A class 1 may be spelt 1.0 in a column with fractions or missing cells.
    spelt = [text.removesuffix(".0") if text not in number else text for text in table.frame[name].astype("str")]
    unknown = sorted(set(spelt) - set(number))
    if unknown and run.classes:
        raise _unknown_classes(run, unknown, table.path)
    return None if unknown else torch.tensor([number[text] for text in spelt])


def _unknown_classes(run: Run, unknown: list[str], name: str) -> ValueError:
    return ValueError(
        f"data: expected classes of the run {run.path} ({listed(run.class_names)}) in {name}, got {listed(unknown)}"
    )


def in_units_of(run: Run, data: Data) -> Data:
    """The `data` scaled as those of the `run` were, and their classes numbered as there by their names.

    Raises:
        ValueError: for a class that a conditional run does not have.
    """
    if len(data.units.scale) != len(run.units.scale):
        return data  # of another shape, which is refused with better words
    same = replace(data.units, scale=run.units.scale, offset=run.units.offset, low=None, high=None)
    if data.labels is not None and run.classes:
        if unknown := [name for name in data.class_names if name not in run.class_names]:
            raise _unknown_classes(run, unknown, data.name)
        data = data.with_classes(run.class_names)
    return type(data)(data.source, data.labels, same, data.class_names, data.name, data.notes, data.inputs)
