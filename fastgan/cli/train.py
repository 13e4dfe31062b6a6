"""`fastgan train`; its options are the fields of `TrainConfig`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from fastgan.cli._terminal import Action, is_rank_zero

__all__ = ["add_command", "train"]


def add_command(app: Any, typer: Any) -> None:
    """Add `train` to the typer application."""
    app.command("train", help=train.__doc__)(_train_command(typer))


def train(config: str | None, settings: dict[str, Any]) -> None:
    """Train a GAN; without options, one that draws handwritten digits, in under a minute."""
    from fastgan.metrics.report import summary
    from fastgan.train import GANTrainer, TrainConfig, distributed, load_run
    from fastgan.train.setup import load_data

    given = {name: value for name, value in settings.items() if value is not None}
    if config is None and given.get("resume") and "out" in given:
        saved = Path(given["out"]) / "config.toml"
        config = str(saved) if saved.is_file() else None
    loaded = TrainConfig(**given) if config is None else TrainConfig.load(config, **given)
    with distributed.process_group():
        trainer = GANTrainer(loaded)
        out = trainer.fit()
    if is_rank_zero():
        print(f"trained {loaded.steps} steps: samples, losses, checkpoints and weights are in {out}")
        try:
            print(summary(load_run(out), trainer.data, load_data(loaded)[1] if loaded.holdout else None))
        except (ImportError, ValueError, OSError, RuntimeError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            # The training is done and saved: what cannot be measured of it is no failure.
            print(f"no FID: {' '.join(str(error).split())}")


def _train_command(typer: Any) -> Callable[..., Action]:
    """A function whose signature has one option for each field of `TrainConfig`."""
    from fastgan.train import TrainConfig
    from fastgan.train.config import help_of

    def command(**settings: Any) -> Action:
        return partial(train, settings.pop("config"), settings)

    hints = get_type_hints(TrainConfig)
    options = {"config": (str, typer.Option(None, help="A TOML file of these settings."))}
    for f in dataclasses.fields(TrainConfig):
        kind = str if f.name == "out" else hints[f.name]
        flag = "--" + f.name.replace("_", "-")
        flag += f"/--no-{flag[2:]}" if f.default is True else ""
        options[f.name] = (kind, typer.Option(None, flag, help=help_of(f)))
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)
            for name, (kind, option) in options.items()
        ]
    )
    command.__annotations__ = {name: kind for name, (kind, _) in options.items()}
    return command
