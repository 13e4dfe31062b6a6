"""What a run folder records: its settings, statistics, alarms, sample grids and scores."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastgan.train.config import TrainConfig
from fastgan.train.monitor import read_metrics
from fastgan.train.run_folder import RunFolderError

__all__ = ["Record", "Setting", "differing", "read_record"]

# Settings that do not describe the training.
_PLACES = ("out", "resume")


@dataclass(frozen=True)
class Setting:
    """A setting whose value is not the recipe's.

    Attributes:
        name: the setting.
        value: its value in the run.
        usual: the recipe's value.
    """

    name: str
    value: Any
    usual: Any


@dataclass(frozen=True)
class Record:
    """The records of one run.

    Attributes:
        path: the run folder.
        config: the run's settings.
        statistics: a dict for each line of metrics.jsonl that has statistics, in the order of the steps.
        alarms: a dict for each alarm: `step`, `alarm` (its name) and `message`.
        grids: the sample grids: the step and the picture's path, in the order of the steps.
        scores: what `fastgan eval` wrote to eval.json; empty where it has not run.
        notes: a sentence for each part that is missing or cannot be read.
    """

    path: Path
    config: TrainConfig
    statistics: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    grids: list[tuple[int, Path]] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The run folder's own name."""
        return self.path.resolve().name

    def changed(self) -> list[Setting]:
        """The settings whose values differ from those of the run's recipe."""
        usual = TrainConfig(recipe=self.config.recipe).to_dict()
        return [
            Setting(name, value, usual[name])
            for name, value in self.config.to_dict().items()
            if name not in _PLACES and value != usual[name]
        ]


def read_record(path: Path) -> Record:
    """Read the records of the run folder `path`. A part that is missing or torn becomes a note.

    Raises:
        RunFolderError: for a folder without config.toml, or whose config.toml is of no run.
    """
    settings = path / "config.toml"
    if not settings.is_file():
        raise RunFolderError(f"report: expected {path} to be a run folder of `fastgan train`, got no config.toml in it")
    try:
        config = TrainConfig.load_resolved(settings)
    except (ValueError, TypeError) as error:
        raise RunFolderError(
            f"report: expected the settings of a run, of this version, in {settings}: {error}"
        ) from error
    notes: list[str] = []
    rows = _rows(path / "metrics.jsonl", notes)
    alarms = [row for row in rows if isinstance(row.get("alarm"), str)]
    statistics = [row for row in rows if isinstance(row.get("loss_d"), int | float)]
    return Record(path, config, statistics, alarms, _grids(path / "samples"), _scores(path / "eval.json", notes), notes)


def differing(records: list[Record]) -> dict[str, list[Any]]:
    """The settings that are not the same in all `records`: the values of each, in the records' order."""
    settings = [record.config.to_dict() for record in records]
    return {
        f.name: [values[f.name] for values in settings]
        for f in dataclasses.fields(TrainConfig)
        if f.name not in _PLACES and any(values[f.name] != settings[0][f.name] for values in settings)
    }


def _rows(metrics: Path, notes: list[str]) -> list[dict[str, Any]]:
    if not metrics.is_file():
        notes.append("The run has no metrics.jsonl, so there are no curves.")
        return []
    rows = read_metrics(metrics)
    lines = sum(1 for line in metrics.read_bytes().splitlines() if line.strip())
    if torn := lines - len(rows):
        notes.append(f"{torn} of {lines} lines of metrics.jsonl cannot be read and are left out.")
    return rows


def _grids(folder: Path) -> list[tuple[int, Path]]:
    found = []
    for path in sorted(folder.glob("step-*.png")):
        if number := re.fullmatch(r"step-(\d+)", path.stem):
            found.append((int(number[1]), path))
    return found


def _scores(path: Path, notes: list[str]) -> dict[str, Any]:
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        notes.append(f"eval.json cannot be read ({error}), so its scores are left out.")
        return {}
    if not isinstance(scores, dict) or not isinstance(scores.get("real"), dict):
        notes.append("eval.json cannot be read (it holds no scores), so its scores are left out.")
        return {}
    return scores
