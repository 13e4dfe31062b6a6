"""The scores of a run's rows as a table: alike, useful, no copies, no value that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from fastgan._support.extras import require
from fastgan._support.messages import unknown_name
from fastgan.data import Data, Units
from fastgan.data.table import Column, TableSchema
from fastgan.data.table.units import EncodedUnits
from fastgan.metrics.fidelity import fidelity, invalid_share
from fastgan.metrics.tables import closest_record, table_utility

__all__ = ["table_scores"]

_MOST_ROWS = 20_000  # real ones that are compared
_MOST_CLASSES = 20  # of a target that nobody named
_HELD_OUT = 0.3  # share of the real rows that a model is tested on, where none were held out

Scores = dict[str, float | None]


def table_scores(
    units: Units,
    samples: Tensor,
    data: Data,
    held_out: Data | None,
    target: str | None = None,
    predict: bool = True,
) -> tuple[Scores, Scores, list[str]]:
    """Compare generated rows of a table with real ones.

    - marginals, pairs: see `fidelity`; those of real data are between two halves of them.
    - invalid: the share of cells that the table could not have.
    - tstr: the score on real rows of gradient boosting that is trained on generated ones; see `table_utility`.
    - record_nearer, record_copies: see `closest_record`; only with rows that were held out.

    Args:
        units: of the run; `units.table` describes the columns.
        samples: generated rows (N, ...) in the network's range.
        data: what the run was trained on.
        held_out: rows that it was not trained on, or None.
        target: the column to predict; None takes that called `label`, or else the last that holds numbers or few
            categories.
        predict: whether to train a model.

    Returns:
        The scores of the samples, those of real data, and remarks.

    Raises:
        ValueError: for a target that no column is called, or that is not learnt.
        MissingExtraError: without pandas or scikit-learn.
    """
    assert units.table is not None  # the caller looked
    schema, notes = TableSchema.from_dict(units.table), list[str]()
    names = [column.name for column in schema.columns if column.learnt]

    def frame(rows: Tensor) -> Any:
        return schema.decode(units.restore(rows))[names]

    every, made = frame(data.samples), frame(samples)
    test = None if held_out is None else frame(held_out.samples)
    known = every if test is None else require("pandas").concat([every, test], ignore_index=True)
    real = every.sample(min(len(every), _MOST_ROWS), random_state=0)
    categories = (
        [c.name for c in units.encoding.categories] if isinstance(units, EncodedUnits) and units.encoding else []
    )
    halves = real[: len(real) // 2], real[len(real) // 2 :]
    ours: Scores = {}
    theirs: Scores = {}
    for scores, pair in ((ours, (real, made)), (theirs, halves)):
        found = fidelity(*pair, categories)
        scores |= {"marginals": found.marginals, "pairs": found.pairs, "invalid": invalid_share(known, pair[1])}
    predicted = _target(schema.columns, target)
    if predict and predicted is not None and len(names) > 1:
        train, other = (real, test) if test is not None else _split(real)
        utility = table_utility(made, train, other, predicted)
        ours["tstr"], theirs["tstr"] = utility.score, utility.real_score
        tested = "" if held_out is not None else "; tested on rows that were trained on: train --holdout 0.3 keeps some"
        notes.append(f"tstr: {utility.measure} of '{predicted}', predicted from the other columns{tested}")
    if test is not None:
        record = closest_record(made, real, test)
        ours |= {"record_nearer": record.nearer, "record_copies": record.copies}
        theirs |= {"record_nearer": 0.5, "record_copies": record.held_out_copies}
    return _known(ours), _known(theirs), notes


def _target(columns: Sequence[Column], wanted: str | None) -> Any:
    """The column to predict, or None where no one is fit."""
    learnt = [column for column in columns if column.learnt]
    if wanted is not None:
        found = next((c.name for c in learnt if str(c.name) == wanted), None)
        if found is None:
            raise ValueError(unknown_name("eval: unknown column", wanted, [str(c.name) for c in learnt]))
        return found
    fit = [c for c in learnt if c.kind != "category" or len(c.values) <= _MOST_CLASSES]
    label = next((c.name for c in fit if str(c.name).lower() == "label"), None)
    return label if label is not None or not fit else fit[-1].name


def _split(real: Any) -> tuple[Any, Any]:
    """Two disjoint random parts of a table, the same ones in every call."""
    mixed = real.sample(frac=1, random_state=1)
    count = max(1, round(_HELD_OUT * len(mixed)))
    return mixed[count:], mixed[:count]


def _known(scores: Scores) -> Scores:
    """The scores with None in place of NaN."""
    return {name: None if value is None or np.isnan(value) else float(value) for name, value in scores.items()}
