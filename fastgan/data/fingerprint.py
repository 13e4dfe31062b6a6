"""Fingerprints of data: short texts that are equal where the data are, wherever they lie.

A fingerprint is of the names and sizes of files, or of an array's shape, dtype and values. It reads as
`files=12; bytes=9876; digest=5f2c...`, so that two of them also tell what differs. No path is part of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

__all__ = ["difference", "of_choice", "of_dataset", "of_entries", "of_tensors"]

_BLOCKS = 64  # parts of a large tensor that are read
_BLOCK = 1 << 20  # bytes in a part
_DIGEST = 10  # bytes: two different data sets agree by chance in 1 of 10^24 cases


def of_entries(entries: Iterable[tuple[str, int]]) -> str:
    """The fingerprint of named contents.

    Args:
        entries: the name, relative to the folder, and the size of each, in any order.
    """
    entries = sorted((name.replace(os.sep, "/"), size) for name, size in entries)
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for name, size in entries:
        digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
    return _join(files=len(entries), bytes=sum(size for _, size in entries), digest=digest.hexdigest())


def of_tensors(samples: Tensor | np.ndarray, labels: Tensor | np.ndarray | None = None) -> str:
    """The fingerprint of samples in memory: shape, dtype and values, of more than 64 MiB 64 parts evenly spaced.

    The device and the order in memory do not matter.

    Args:
        samples: (N, ...) of any dtype.
        labels: (N,), or None.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST)
    x = torch.as_tensor(samples)
    _update(digest, x)
    parts = {"shape": "x".join(map(str, x.shape)), "dtype": str(x.dtype).removeprefix("torch.")}
    if labels is not None:
        y = torch.as_tensor(labels)
        _update(digest, y.long())
        parts["labels"] = str(len(y))
    return _join(**parts, digest=digest.hexdigest())


def of_dataset(count: int, sample: Tensor) -> str:
    """The fingerprint of a `Dataset`, whose values may be drawn anew at each reading: its length, and a sample's form.

    Args:
        count: number of samples.
        sample: one of them.
    """
    return _join(samples=count, shape="x".join(map(str, sample.shape)), dtype=str(sample.dtype).removeprefix("torch."))


def of_choice(fingerprint: str, chosen: Tensor, name: str = "chosen") -> str:
    """The fingerprint of some of the samples of other data, or of data with labels.

    Args:
        fingerprint: that of the other data.
        chosen: (M,) int64, the indices of the samples, or the labels.
        name: what these are.
    """
    digest = hashlib.blake2b(chosen.cpu().contiguous().numpy().tobytes(), digest_size=_DIGEST)
    return fingerprint + "; " + _join(**{name: f"{len(chosen)}-{digest.hexdigest()}"})


def difference(expected: str, got: str) -> str:
    """What differs between two fingerprints, in words; an empty text if they are equal.

    Args:
        expected: the fingerprint of the earlier data.
        got: that of the present data.

    Example:
        >>> difference("files=12; bytes=9876; digest=aa", "files=13; bytes=9999; digest=bb")
        '13 files instead of 12, 9,999 bytes instead of 9,876'
        >>> difference("files=12; bytes=9876; digest=aa", "files=12; bytes=9876; digest=bb")
        'other names or sizes of files'
    """
    if expected == got:
        return ""
    before, now = _parts(expected), _parts(got)
    if _kind(before) != _kind(now):
        return f"{_kind(now)} instead of {_kind(before)}"
    words = [
        "other samples that can be read"
        if name == "chosen"
        else f"{_word(name, now.get(name))} instead of {_value(before.get(name))}"
        for name in dict.fromkeys((*before, *now))
        if name != "digest" and _value(before.get(name)) != _value(now.get(name))
    ]
    others = [name for name in ("labels", "chosen") if before.get(name) != now.get(name)]
    if not words and others:
        return "other labels" if "labels" in others else "other samples that can be read"
    return ", ".join(words) or ("other names or sizes of files" if "files" in now else "other values")


def _update(digest: hashlib.blake2b, x: Tensor) -> None:
    """Add the bytes of a tensor to a digest: all, or of a large one parts evenly spaced along the first dimension."""
    row = max(1, x[0].numel() * x.element_size()) if len(x) else 1
    rows = max(1, _BLOCK // row)
    starts = list(range(0, len(x), rows))
    if len(starts) > _BLOCKS:  # the first and the last part are among them
        starts = [i * (len(x) - rows) // (_BLOCKS - 1) for i in range(_BLOCKS)]
    for start in starts:
        part = x[start : start + rows].detach().cpu().contiguous()
        digest.update(part.flatten().view(torch.uint8).numpy().data)


def _join(**parts: object) -> str:
    return "; ".join(f"{name}={value}" for name, value in parts.items())


def _parts(fingerprint: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in fingerprint.split("; ") if "=" in part)


def _kind(parts: dict[str, str]) -> str:
    """What kind of data a fingerprint is of."""
    if "files" in parts:
        return "a folder"
    if "prepared" in parts:
        return "prepared data"
    return "a Dataset" if "samples" in parts else "samples in memory"


def _word(name: str, value: str | None) -> str:
    """A part as words: 13 files, 9,999 bytes, shape 40x3."""
    if name in ("files", "bytes", "samples", "labels", "chosen"):
        return f"{_value(value)} {name}"
    return f"{name} {_value(value)}"


def _value(value: str | None) -> str:
    if value is None:
        return "none"
    value = value.partition("-")[0]  # without the digest of labels or of chosen samples
    return f"{int(value):,}" if value.isdigit() else value
