"""What `fastgan train --dry-run` prints: the settings and their origin, the data and the networks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from fastgan.data import Data
    from fastgan.train import GANTrainer, TrainConfig


def describe(config: TrainConfig, file: str | None, resumed: bool, given: dict[str, Any]) -> list[str]:
    """The lines that describe a run, which is set up as for training but neither trained nor written.

    Args:
        config: the resolved settings.
        file: the TOML file that some of them are from, or None.
        resumed: whether the file is that of the run to resume, all of whose settings count.
        given: those of the command line.

    Raises:
        ValueError: as the run would for data, networks, an `out` or a checkpoint that do not serve.
        CheckpointError: if none of the checkpoints to resume is whole.
    """
    from fastgan.train import GANTrainer
    from fastgan.train.run_folder import check_out

    if config.out is not None:
        check_out(Path(config.out), config.resume)
    trainer = GANTrainer(config)
    config, data, held_out = trainer.config, trainer.data, trainer.held_out  # settings fit the data now
    return [
        *_settings(config, file, resumed, given),
        "",
        *_data(config, data, held_out),
        _network(
            "generator",
            trainer.generator,
            trainer.size.input_shape or (config.latent_dim,),
            trainer.size.sample_shape,
        ),
        _network("discriminator", trainer.discriminator, trainer.size.sample_shape, ()),
        _run(trainer, data),
        f"sizes: {trainer.sizes.text()}",
        *trainer.take_notes(),
        *_resumed(trainer),
        "dry run: nothing was trained or written",
    ]


def _settings(config: TrainConfig, file: str | None, resumed: bool, given: dict[str, Any]) -> Iterator[str]:
    """A line for each setting: its name, its value, where the value is from."""
    from fastgan.train import TrainConfig
    from fastgan.train.recipes import RECIPES
    from fastgan.train.settings_file import read_settings

    in_file: set[str] = set()
    if file is not None:
        settings = read_settings(Path(file))
        in_file = {*settings.chosen, *(settings.resolved if resumed else ())}
    recipe, fitted = RECIPES[config.recipe], config.fitted or {}
    for name, value in config.to_dict().items():
        if name in given:
            origin = "command line"
        elif name in in_file:
            origin = str(file)
        elif name == "recipe" and name in fitted:
            origin = f"default, {fitted[name]}"
        elif name in fitted:
            origin = f"recipe {config.recipe}, {fitted[name]}"
        elif TrainConfig.__dataclass_fields__[name].default is None and name in recipe:
            origin = f"recipe {config.recipe}"
        else:
            origin = "default"
        if name == "out" and value is None:
            value = "a new folder in runs/"
        yield f"{name:<16} {_text(value):<24} {origin}"


def _text(value: Any) -> str:
    """A setting's value as TOML has it, strings without their quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else '""'


def _data(config: TrainConfig, data: Data, held_out: Data | None) -> Iterator[str]:
    """The data's name, number and shape of samples, size, and classes; and what was decided as they were read."""
    from fastgan.data.labels import listed
    from fastgan.data.source import is_resident

    size = len(data) * math.prod(data.source.shape) * data.source.dtype.itemsize / 1e6
    text = f"data: {config.data}, {len(data):,} samples of shape {_shape(data.sample_shape)}"
    text += f", {size:,.1f} MB" + ("" if is_resident(data.source) else ", read batch by batch")
    if data.inputs is not None:
        made = "of pairs" if data.inputs.kind == "pairs" else f"made from them by {data.inputs.kind}"
        text += f", with inputs of {_shape(data.input_shape)} {made}"
    if data.labels is not None:
        text += f", {len(data.class_names)} classes: {listed(data.class_names)}"
    yield text + (f"; {len(held_out):,} more held out" if held_out is not None else "")
    yield from data.notes


def _network(name: str, network: nn.Module, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> str:
    """A network's input and output of one sample, its layers with weights, its parameters."""
    parameters = list(network.parameters())
    layers = sum(1 for module in network.modules() if any(True for _ in module.parameters(recurse=False)))
    count = sum(p.numel() for p in parameters)
    size = sum(p.numel() * p.element_size() for p in parameters) / 1e6
    made = _shape(outputs) if outputs else "a logit"
    text = f"{name}: {_shape(inputs)} to {made}, {layers} layers with weights, {count:,} parameters ({size:,.1f} MB)"
    return text


def _shape(shape: tuple[int, ...]) -> str:
    """A shape as 3 x 32 x 32."""
    return " x ".join(map(str, shape))


def _run(trainer: GANTrainer, data: Data) -> str:
    """Steps, passes over the data, device and precision."""
    config = trainer.config
    passes = config.steps * config.n_critic * config.batch_size / len(data)
    return (
        f"run: {config.steps:,} steps, in which D sees the data {_rounded(passes)} times; "
        f"device {trainer.device}, precision {trainer.precision}"
    )


def _rounded(number: float) -> str:
    """A number with a digit after the point where it is small."""
    return f"{number:.1f}" if number < 10 else f"{math.floor(number + 0.5):,}"


def _resumed(trainer: GANTrainer) -> Iterator[str]:
    """What `--resume` continues; raises what `GANTrainer.fit` would for checkpoints that do not serve."""
    from fastgan.train import checkpoint

    if not trainer.config.resume or trainer.config.out is None:
        return
    notes: list[str] = []
    folder = Path(trainer.config.out) / "checkpoints"
    found = checkpoint.load_newest(folder, notes.append)
    yield from notes
    if found is None:
        yield f"resume: no checkpoint in {folder}; the run would start at step 0"
        return
    trainer.load_state_dict(found[1])
    past = "; nothing to train" if trainer.global_step > trainer.config.steps else ""
    yield f"resume: from {found[0]}, step {trainer.global_step:,} of {trainer.config.steps:,}{past}"
