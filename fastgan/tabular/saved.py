"""Files of trained table models: safetensors, whose metadata hold all that is no tensor as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fastgan._support.extras import require
from fastgan._support.files import write_atomic

_safetensors, _safetensors_torch = require("safetensors"), require("safetensors.torch")

__all__ = ["read_model", "write_model"]

_KEY = "fastgan.tabular"
_FORMAT = 1


def write_model(path: Path, described: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write a model.

    Args:
        path: the file.
        described: what JSON can hold.
        weights: tensors by name.

    Raises:
        OSError: naming the file, if it cannot be written; an earlier one is untouched.
    """
    metadata = {_KEY: json.dumps({"format": _FORMAT, **described})}
    tensors = {name: t.detach().cpu().contiguous() for name, t in weights.items()}
    write_atomic(path, _safetensors_torch.save(tensors, metadata=metadata))


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What `write_model` wrote to the file `path`; no code from the file runs.

    Raises:
        FileNotFoundError: if it does not exist.
        ValueError: for another file, or one of another format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"tabular: expected a file '{path}', found none")
    try:
        with _safetensors.safe_open(str(path), framework="pt") as file:
            described = json.loads((file.metadata() or {})[_KEY])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except Exception as error:
        raise ValueError(f"tabular: expected {path} to be a file of TabularGAN.save: {error}") from error
    if described.get("format") != _FORMAT:
        raise ValueError(f"tabular: expected {path} to have format {_FORMAT}, got {described.get('format')}")
    return described, weights
