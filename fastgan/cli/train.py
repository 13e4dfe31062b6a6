"""`fastgan train`; its options are the fields of `TrainConfig`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from fastgan.cli._dry_run import describe
from fastgan.cli._run_data import check_describes
from fastgan.cli._terminal import Action, is_rank_zero

if TYPE_CHECKING:
    from fastgan.train import Callback, GANTrainer

__all__ = ["add_command"]

_REPORT = "Steps from one report.html in the run folder to the next, each with a checkpoint; 0 writes none."
_DRY_RUN = "Print the settings, the data's size and the networks' parameter counts; train nothing and write no file."


def add_command(app: Any, typer: Any) -> None:
    """Add `train` to the application `app` of the module `typer`."""
    app.command("train", help=inspect.getdoc(train))(_train_command(typer))


def train(config: str | None, settings: dict[str, Any], dry_run: bool = False, report_every: int = 0) -> None:
    """Train a GAN; without options, one that draws handwritten digits, in under a minute."""
    from fastgan.metrics.report import summary
    from fastgan.train import GANTrainer, TrainConfig, distributed, load_run

    resumed = None
    if config is None and settings.get("resume") and "out" in settings:
        saved = Path(settings["out"]) / "config.toml"
        resumed = str(saved) if saved.is_file() else None
    if resumed is not None:
        loaded = TrainConfig.load_resolved(resumed).replace(**settings)
    else:
        loaded = TrainConfig(**settings) if config is None else TrainConfig.load(config, **settings)
    if (file := resumed or config) is not None:
        check_describes(Path(file), settings, resume=loaded.resume)
    if loaded.resume:
        from fastgan.train.run_data import check_there

        check_there("train", loaded.data)
    if dry_run:
        with distributed.process_group():
            lines = describe(loaded, file, resumed is not None, settings)
        if is_rank_zero():
            print("\n".join(lines))
        return
    with distributed.process_group():
        trainer = GANTrainer(loaded, callbacks=_callbacks(report_every))
        out = trainer.fit()
    if is_rank_zero():
        steps = trainer.config.steps
        done = f"trained {steps} steps"
        if trainer.global_step > steps:
            done = f"trained nothing, as the run is at step {trainer.global_step}, past --steps {steps}"
        print(f"{done}: samples, losses, checkpoints and weights are in {out}")
        try:
            print(summary(load_run(out), trainer.data, trainer.held_out))
        except (ImportError, ValueError, OSError, RuntimeError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            # The training is done and saved, so a run that cannot be measured is no failure.
            print(f"no FID: {' '.join(str(error).split())}")
        print(f"the report: {out / 'report.html'}" if report_every else _next_steps(out, trainer))


def _callbacks(report_every: int) -> list[Callback]:
    """The report's, if it is asked for; its library is not loaded else."""
    if not report_every:
        return []
    from fastgan.report.callback import ReportCallback

    return [ReportCallback(report_every)]


def _next_steps(out: Path, trainer: GANTrainer) -> str:
    """What to do with a run, in one line."""
    if trainer.data.inputs is not None:
        return (
            f"next: fastgan translate {out} IN OUT (a file or a folder of inputs), fastgan eval {out}, fastgan report "
            f"{out} (a page of curves and pictures), or fastgan train --out {out} --resume --steps "
            f"{2 * trainer.global_step} to go on"
        )
    samples = "new.csv" if trainer.data.units.table is not None else "samples.npz"
    samples = "grid.png" if len(trainer.size.sample_shape) == 3 else samples
    return (
        f"next: fastgan report {out} (a page of curves, pictures and scores), fastgan sample {out} --out {samples}, "
        f"or fastgan train --out {out} --resume --steps {2 * trainer.global_step} to go on"
    )


def _train_command(typer: Any) -> Callable[..., Action]:
    """A function whose signature has one option for each field of `TrainConfig`."""
    from fastgan.train import TrainConfig

    def command(ctx: Any, config: str | None, dry_run: bool, report_every: int, **settings: Any) -> Action:
        given = {name: value for name, value in settings.items() if _is_given(ctx, name)}
        return partial(train, config, given, dry_run, report_every)

    hints = get_type_hints(TrainConfig)
    options = {
        "ctx": (typer.Context, inspect.Parameter.empty),
        "config": (
            str,
            typer.Option(None, help="A TOML file of these settings; options win over it.", show_default="none"),
        ),
        "dry_run": (bool, typer.Option(False, "--dry-run", help=_DRY_RUN, show_default="off")),
        "report_every": (int, typer.Option(0, min=0, help=_REPORT)),
    }
    for f in dataclasses.fields(TrainConfig):
        options[f.name] = (str if f.name == "out" else hints[f.name], _option(typer, f))
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)
            for name, (kind, option) in options.items()
        ]
    )
    command.__annotations__ = {name: kind for name, (kind, _) in options.items()}
    return command


def _option(typer: Any, setting: dataclasses.Field[Any]) -> Any:
    """The option of a field of `TrainConfig`, with its default in the help text."""
    from fastgan.train.config import TrainConfig, help_of
    from fastgan.train.recipes import RECIPES

    flag = "--" + setting.name.rstrip("_").replace("_", "-")  # from_, as Python has a word from
    flag += f"/--no-{flag[2:]}" if setting.default is True else ""
    shown: str | bool = True
    if setting.name == "out":
        shown = "a new folder runs/RECIPE-DATA-TIME"
    elif setting.default is None:
        usual = str(TrainConfig.__dataclass_fields__["recipe"].default)
        shown = f"by the recipe; {usual}: {_shown(RECIPES[usual][setting.name])}"
    elif setting.default is False:
        shown = "off"
    elif setting.default == "":
        shown = "none"
    return typer.Option(setting.default, flag, help=help_of(setting), show_default=shown)


def _shown(value: Any) -> str:
    """A setting's value as an option's argument."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value) or "none"


def _is_given(ctx: Any, name: str) -> bool:
    """Whether the command line has the option `name`."""
    return bool(ctx.get_parameter_source(name).name == "COMMANDLINE")
