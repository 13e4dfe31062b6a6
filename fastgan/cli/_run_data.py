"""The data of a run for the commands that take one: those of its settings, or of --data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgan.data import Data
    from fastgan.train import Run

__all__ = ["check_describes", "check_there", "in_units_of", "real_data"]


def check_describes(settings: Path, given: dict[str, Any], resume: bool) -> None:
    """Refuse to train by a settings file whose run was made in Python with data or networks of its own.

    Args:
        settings: the file.
        given: the settings of the command line, which may name others.
        resume: whether the run itself is to be continued, with its networks.

    Raises:
        ValueError: naming what was passed to `GANTrainer`, and what to do.
    """
    from fastgan.train.settings_file import read_settings

    passed = read_settings(settings).passed
    networks = [name for name in ("generator", "discriminator") if name in passed]
    lacking = ["data"] if "data" in passed and "data" not in given else []
    lacking += networks if resume or "network" not in given else []
    if not lacking:
        return
    what = " and ".join(f"{name} ({passed[name]})" for name in lacking)
    advice = "GANTrainer with the same arguments and resume=True goes on"
    if not resume:
        flags = [*(["--data"] if "data" in lacking else []), *(["--network"] if networks else [])]
        advice = f"{' and '.join(flags)} {'names' if len(flags) == 1 else 'name'} others for a new run"
    raise ValueError(
        f"train: expected settings that describe the whole run, got {settings}, whose {what} came from Python: {advice}"
    )


def check_there(command: str, spec: str) -> None:
    """Refuse data of a run that are no longer where they were.

    Args:
        command: the command's name.
        spec: the run's setting `data`.

    Raises:
        FileNotFoundError: with the path.
    """
    from fastgan.data import FROM_PATH, check_spec

    kind, path = check_spec(spec)
    if path and not FROM_PATH[kind].pattern and not Path(path).exists():
        raise FileNotFoundError(
            f"{command}: expected the data of the run in '{path}', found none there; --data {kind}:PATH tells where "
            "they are now"
        )


def real_data(run: Run, spec: str | None) -> tuple[Data, Data | None, list[str]]:
    """The data to measure a run by.

    Args:
        run: the run.
        spec: the data's name, or None for those of the run.

    Returns:
        The data, the share `holdout` kept from them or None, and notes on how they differ from those of the training.

    Raises:
        ValueError: for a run of data that were passed to `GANTrainer` if there is no `spec`, and for unusable data.
        FileNotFoundError: where the data do not exist.
    """
    from fastgan.data.fingerprint import difference
    from fastgan.train.setup import load_data

    if spec is None and "data" in run.passed:
        raise ValueError(
            f"eval: expected --data with {run.path}, whose data ({run.passed['data']}) were passed to GANTrainer in "
            "Python, got none"
        )
    if spec is None:
        check_there("eval", run.config.data)
    config = run.config if spec is None else run.config.replace(data=spec)
    data, held_out = load_data(config)
    changed = difference(run.fingerprint, data.base_fingerprint)
    if not changed:
        return data, held_out, []
    note = f"the data '{config.data}' are not those of the training: {changed}"
    return in_units_of(run, data), None if held_out is None else in_units_of(run, held_out), [note]


def in_units_of(run: Run, data: Data) -> Data:
    """The `data` scaled as those of the `run` were, and their classes numbered as there by their names.

    Raises:
        ValueError: for a class that a conditional run does not have, or a table whose columns are encoded otherwise.
    """
    import torch

    from fastgan.data.labels import listed
    from fastgan.data.table import TableSchema

    if len(data.units.scale) != len(run.units.scale):
        return data  # of another shape, which is refused with better words
    units, own = data.units, run.units
    if own.table is not None and units.table is not None:
        wanted, got = (TableSchema.from_dict(table).names for table in (own.table, units.table))
        if wanted != got:  # a category more or less, or in another order of frequency
            raise ValueError(
                f"data: expected the columns and categories of the run {run.path} ({listed(wanted)}) in {data.name}, "
                f"got {listed(got)}"
            )
    same = replace(units, scale=own.scale, offset=own.offset, low=None, high=None)
    labels, names = data.labels, data.class_names
    if labels is not None and run.classes and names != run.class_names:
        number = {name: i for i, name in enumerate(run.class_names)}
        if unknown := [name for name in names if name not in number]:
            raise ValueError(
                f"data: expected classes of the run {run.path} ({listed(run.class_names)}) in {data.name}, "
                f"got {listed(unknown)}"
            )
        labels, names = torch.tensor([number[name] for name in names])[labels], run.class_names
    return type(data)(data.source, labels, same, names, data.name, data.notes, data.inputs)
