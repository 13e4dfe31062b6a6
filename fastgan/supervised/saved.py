"""`load_fit`: a model that `fastgan fit` wrote, to predict the targets of other tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fastgan._support.extras import require
from fastgan.data.table import Table, TableSchema
from fastgan.data.table.apply import encode_like
from fastgan.supervised.config import FitConfig
from fastgan.supervised.training import dense_network

__all__ = ["SavedFit", "load_fit"]


@dataclass(frozen=True)
class SavedFit:
    """A fitted model of a table.

    Attributes:
        model: the network, in float64 and eval mode.
        schema: how the features are encoded.
        target: the name of the column that it predicts.
        classes: in the order of the network's outputs; () for a regression.
        scales: mean and scale of the encoded features, and of the target of a regression.
    """

    model: nn.Module
    schema: TableSchema
    target: str
    classes: tuple[Any, ...]
    scales: dict[str, Any]

    @torch.no_grad()
    def predict(self, table: Table) -> tuple[dict[str, NDArray[Any]], list[str]]:
        """Predict the target of each row.

        Args:
            table: with the features' columns, in any order; others are not looked at.

        Returns:
            Columns by name: the predictions, and of classes also the probability of the one predicted; and remarks.

        Raises:
            ValueError: as `fastgan.data.table.apply.encode_like` does, for a table that does not fit.
        """
        rows, notes = encode_like(table, self.schema)
        x = (rows - self.scales["feature_mean"]) / self.scales["feature_scale"]
        parts = [self.model(part) for part in torch.from_numpy(x).split(8192)]
        output = torch.cat(parts)
        name = f"predicted_{self.target}"
        if not self.classes:
            mean, scale = self.scales["target_mean"][0], self.scales["target_scale"][0]
            return {name: output[:, 0].numpy() * scale + mean}, notes
        both = torch.cat((-output, output), 1).sigmoid() if output.shape[1] == 1 else output.softmax(1)
        probability, index = both.max(1)
        return {name: np.array(self.classes)[index.numpy()], "probability": probability.numpy()}, notes


def load_fit(folder: str | Path) -> SavedFit:
    """Load a model that `fastgan fit` wrote for a table.

    Args:
        folder: the command's `--out`.

    Raises:
        ValueError: for a folder without such a model, or one of images.
        MissingExtraError: without safetensors.
    """
    path = Path(folder).expanduser() / "weights.safetensors"
    if not path.is_file() or not (path.parent / "fit.json").is_file():
        raise ValueError(f"predict: expected {folder} to be a folder of `fastgan fit`, got no fit.json with weights")
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            about = json.loads(file.metadata()["fastgan"])
            state = {key.removeprefix("model."): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no dict
        if about.get("schema") is None:
            raise ValueError(f"predict: expected a model of a table in {folder}, got one of images")
        schema, classes = TableSchema.from_dict(about["schema"]), tuple(about.get("classes", ()))
        config = FitConfig(hidden=tuple(about["hidden"]), negative_slope=about["negative_slope"])
        model = dense_network(schema.width, len(classes) if len(classes) > 2 else 1, config).double()
        model.load_state_dict(state)
    except (KeyError, TypeError, RuntimeError, OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"predict: expected {path} to hold the weights of `fastgan fit`: {error}") from error
    return SavedFit(model.eval(), schema, about["target"]["name"], classes, about)
