"""Labels of any form as class numbers 0 to n-1 and the classes' names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Labels", "class_values", "encode_labels", "listed", "natural_key"]

Labels = tuple[NDArray[np.int64], tuple[str, ...]]

_EXACT = 2.0**53  # from here on, a float64 does not tell neighbouring whole numbers apart


def natural_key(text: str) -> tuple[Any, ...]:
    """The key by which people sort names: numbers in a name count as numbers, so that `class 2` is before `class 10`.

    Args:
        text: the name.
    """
    parts: list[Any] = re.split(r"(\d+)", text)
    for i in range(1, len(parts), 2):
        digits = parts[i].lstrip("0")
        parts[i] = (len(digits), digits)  # compares as the number does, without Python's limit of an int's digits
    return tuple(parts), text


def encode_labels(values: NDArray[Any], source: str) -> Labels:
    """Number the classes that are present, from 0 on.

    Labels are (N,) or (N, 1) whole numbers of any size and dtype, bools, or texts; or (N, K) one-hot rows, whose
    classes are named by their columns' numbers. Numbers are in order of size, texts in natural order.

    Args:
        values: the labels. An array of dtype object holds either texts or ints.
        source: what to call the data in messages.

    Returns:
        The class (N,) of each sample, and the names of the classes.

    Raises:
        ValueError: for a missing label (NaN, None or empty text), a fraction, a float too large to be exact, rows that
            are not one-hot, or another dtype or shape.

    Example:
        >>> encode_labels(np.array([7, 3, 10**9, 3]), "the example")
        (array([1, 0, 2, 0]), ('3', '7', '1000000000'))
        >>> encode_labels(np.array(["b10", "b2"]), "the example")
        (array([1, 0]), ('b2', 'b10'))
    """
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.dtype.kind in "uifb":
        values = _one_hot_columns(values, source)
    if values.ndim != 1:
        raise ValueError(
            f"data: expected labels of shape (N,), or one-hot rows (N, K), in {source}, got {values.shape}"
        )
    if values.dtype.kind == "f":
        values = _whole(values, source)
    if values.dtype.kind in "uib":
        present, codes = np.unique(values, return_inverse=True)
        return codes.astype(np.int64), tuple(str(value) for value in present.tolist())
    return _encode_objects(values, source)


def class_values(names: tuple[str, ...]) -> NDArray[Any]:
    """The classes as the data's labels had them: an int64 array where all names are whole numbers, else the names.

    Args:
        names: the classes' names, as `encode_labels` returns them.
    """
    numbers = [int(name) for name in names if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name)]
    return np.array(numbers if len(numbers) == len(names) else list(names))


def listed(names: Sequence[str], most: int = 10) -> str:
    """The first names in words, and how many more there are.

    Args:
        names: such as those of classes.
        most: how many to write out.
    """
    first = ", ".join(names[:most])
    return first if len(names) <= most else f"{first} and {len(names) - most:,} more"


def _one_hot_columns(rows: NDArray[Any], source: str) -> NDArray[Any]:
    """The column (N,) of the 1 in each row."""
    wrong = ((rows != 0) & (rows != 1)).any(axis=1) | (rows.sum(axis=1, dtype=np.float64) != 1)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"data: expected labels (N,) or one-hot rows in {source}, got {rows.shape} with row {row} of "
            f"{rows[row][:8].tolist()}"
        )
    columns: NDArray[Any] = rows.argmax(axis=1)
    return columns


def _whole(values: NDArray[Any], source: str) -> NDArray[np.int64]:
    """Floats that are whole numbers, as int64."""
    for wrong, problem in (
        (np.isnan(values), "a missing label, NaN,"),
        (np.isinf(values), "infinity"),
        (values != np.rint(values), "a fraction"),
        (np.abs(values) >= _EXACT, "a float too large to be exact"),
    ):
        if wrong.any():
            sample = int(wrong.argmax())
            what = problem if problem.endswith(("infinity", ",")) else f"{problem}, {values[sample]},"
            raise ValueError(
                f"data: expected labels that are whole numbers or texts in {source}, got {what} for sample {sample}"
            )
    return values.astype(np.int64)


def _encode_objects(values: NDArray[Any], source: str) -> Labels:
    """Texts, bytes that are texts in UTF-8, or Python's ints, which may be larger than any dtype's."""
    if values.dtype.kind not in "USO":
        raise ValueError(f"data: expected labels that are whole numbers or texts in {source}, got {values.dtype}")
    items: list[Any] = values.tolist()
    if values.dtype.kind == "S":
        try:
            items = [item.decode() for item in items]
        except UnicodeDecodeError as error:
            raise ValueError(f"data: expected labels in UTF-8 in {source}: {error}") from error
    for sample, item in enumerate(items):
        if item is None or item != item or (isinstance(item, str) and not item.strip()):
            raise ValueError(f"data: expected a label for every sample in {source}, got none for sample {sample}")
    kinds = {str if isinstance(item, str) else type(item) for item in items}
    if kinds <= {str}:
        order: list[Any] = sorted(set(items), key=natural_key)
    elif kinds <= {int, bool}:
        order = sorted(set(items))
    else:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"data: expected labels that are whole numbers or texts in {source}, got {names}")
    number = {item: i for i, item in enumerate(order)}
    return np.array([number[item] for item in items], dtype=np.int64), tuple(map(str, order))
