"""The command line: `fastgan train | sample | eval | bench | fit | impute | explain | info`."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from fastgan import cli_regularised
from fastgan._extras import MissingExtraError, require

Action = Callable[[], None]

# Exit codes; those of signals are 128 plus the signal's number, as a shell has them.
FAILED, BAD_INPUT, DIVERGED = 1, 2, 3
ALARMS = {"dead": 4, "saturated": 5, "collapsed": 6, "memorised": 7}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done; 1 the system refused (a full disk, say); 2 bad options or input; 3 the
    training diverged; 4 to 7 an alarm stopped it (a dead loss, D saturated, mode collapse,
    memorisation); 130 and 143 interrupted by SIGINT and SIGTERM, with a checkpoint saved.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments == ["info"]:  # works without typer, on the base install
            info()
            code = 0
        else:
            code = _run(arguments)
    except KeyboardInterrupt as stop:
        if _speaks():
            _complain(str(stop) or "interrupted; nothing was saved")
        code = 128 + getattr(stop, "signal", 2)
    except (MissingExtraError, ValueError, TypeError, FileNotFoundError) as error:
        code = _complain(str(error), BAD_INPUT)
    except BrokenPipeError:  # as in `fastgan eval RUN | head -1`: the reader has what it wanted
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the interpreter flushes it at exit
        code = FAILED
    except (OSError, RuntimeError) as error:
        code = _failure(error)
    sys.exit(code)


def info() -> None:
    """Print the build: versions, CUDA or not, the instruction set in use."""
    import fastgan

    for name, value in fastgan.build_info().items():
        print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


def train(config: str | None, settings: dict[str, Any]) -> None:
    """Train a GAN; without options, one that draws handwritten digits, in under a minute."""
    from fastgan.evaluate import summary
    from fastgan.train import GANTrainer, TrainConfig, distributed, load_run
    from fastgan.train.setup import load_data

    given = {name: value for name, value in settings.items() if value is not None}
    if config is None and given.get("resume") and "out" in given:
        saved = Path(given["out"]) / "config.toml"
        config = str(saved) if saved.is_file() else None
    loaded = TrainConfig(**given) if config is None else TrainConfig.load(config, **given)
    with distributed.processes():
        trainer = GANTrainer(loaded)
        out = trainer.fit()
    if _speaks():
        print(f"trained {loaded.steps} steps: samples, losses, checkpoints and weights are in {out}")
        try:
            print(summary(load_run(out), trainer.data, load_data(loaded)[1] if loaded.holdout else None))
        except (ImportError, ValueError, OSError, RuntimeError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            # The training is done and saved: what cannot be measured of it is no failure.
            print(f"no FID: {' '.join(str(error).split())}")


def sample(run: str, n: int, seed: int, out: str, best: bool, truncation: float | None) -> None:
    """Draw samples from a trained run, as an array in the data's own units or as a picture."""
    import numpy as np

    from fastgan.train import load_run
    from fastgan.train.pictures import is_image, save_grid

    if n < 1:
        raise ValueError(f"sample: expected --n to be at least 1, got {n}")
    if not 0 <= seed < 2**63:
        raise ValueError(f"sample: expected --seed in [0, 2**63), got {seed}")
    target = Path(out)
    if target.suffix not in (".npz", ".png"):
        raise ValueError(f"sample: expected --out to end in .npz or .png, got '{out}'")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"sample: expected the folder {target.parent} of --out to exist")
    trained = load_run(run, best)
    samples = trained.sample(n, seed, truncation=truncation)
    if target.suffix == ".npz":
        arrays: dict[str, Any] = {"samples": trained.units.restore(samples)}
        if trained.classes:
            arrays["labels"] = trained.labels(n).numpy()
        np.savez_compressed(target, **arrays)
    elif is_image(tuple(samples.shape[1:])):
        save_grid(samples, target)
    else:
        raise ValueError(f"sample: expected images for a .png, got samples {samples.shape[1:]}")
    print(f"wrote {n} samples of step {trained.step} to {target}")


def evaluate(run: str, n: int, seed: int, features: str, best: bool) -> None:
    """Measure a trained run: distances to the data, fidelity, diversity, memorisation, and more where data allow."""
    from fastgan.evaluate import evaluate as measure
    from fastgan.evaluate import table
    from fastgan.features import load_features
    from fastgan.train import load_run
    from fastgan.train.checkpoint import write_atomic
    from fastgan.train.setup import load_data

    sys.path.append(os.getcwd())  # where a module of the user's own lies
    extractor = load_features(features) if features else None
    trained = load_run(run, best)
    ours, real, notes = measure(trained, *load_data(trained.config), n, seed, extractor)
    print(table(ours, real))
    for note in notes:
        print(note)
    about = {"step": trained.step, "samples": n, "seed": seed, "k": 5, "features": features or "learned"}
    content = json.dumps({**about, **ours, "real": real}, indent=2, allow_nan=False) + "\n"
    write_atomic(trained.path / "eval.json", content.encode())
    print(f"written to {trained.path / 'eval.json'}")


def _run(arguments: list[str]) -> int:
    """Parse with typer, then run the command; returns the exit code."""
    command = require("typer.main").get_command(_app(require("typer")))
    try:
        # Parsing only yields what to do: typer would turn an interrupt into an exit code of its own.
        action = command.main(arguments or ["--help"], prog_name="fastgan", standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's own errors of usage have it
            raise
        return _complain(f"{error.format_message()} (fastgan --help tells more)", BAD_INPUT)
    if callable(action):
        action()
        return 0
    return action if isinstance(action, int) else 0


def _app(typer: Any) -> Any:
    """The typer application; the options of `train` are the fields of `TrainConfig`."""
    from fastgan import cli_bench

    app = typer.Typer(help="Train GANs with fused kernels.", add_completion=False)
    app.command("train", help=train.__doc__)(_train_command(typer))

    def _sample(
        run: str = typer.Argument(metavar="RUN", help="A run folder of fastgan train."),
        n: int = typer.Option(64, help="How many samples."),
        seed: int = typer.Option(0, help="Same seed, same samples."),
        out: str = typer.Option("samples.npz", help="samples.npz or grid.png."),
        best: bool = typer.Option(False, "--best", help="Of the lowest FID, which --eval-every kept."),
        truncation: float = typer.Option(None, help="Keep latents within this: more typical, less varied samples."),
    ) -> Action:
        return partial(sample, run, n, seed, out, best, truncation)

    def _eval(
        run: str = typer.Argument(metavar="RUN", help="A run folder of fastgan train."),
        n: int = typer.Option(2000, help="How many samples to measure."),
        seed: int = typer.Option(0, help="Seed of the samples."),
        features: str = typer.Option("", metavar="MODULE:NAME", help="Your feature extractor; by default learned."),
        best: bool = typer.Option(False, "--best", help="Measure the weights of the lowest FID."),
    ) -> Action:
        return partial(evaluate, run, n, seed, features, best)

    app.command("sample", help=sample.__doc__)(_sample)
    app.command("eval", help=evaluate.__doc__)(_eval)
    app.command("info", help=info.__doc__)(lambda: info)
    cli_bench.add_command(app, typer)
    cli_regularised.register(app, typer)
    return app


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


def _failure(error: OSError | RuntimeError) -> int:
    """Tell what stopped a command, unless it is an error of the program; returns the exit code."""
    from fastgan.train import CheckpointError, TrainingAlarmError, TrainingDivergedError
    from fastgan.train.distributed import FirstProcessError, LostProcessError

    if isinstance(error, OSError | CheckpointError):
        return _complain(str(error))
    if isinstance(error, FirstProcessError | LostProcessError):
        if isinstance(error, LostProcessError):  # the first process has said why itself
            _complain(str(error))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(FAILED)  # the interpreter's own end would wait for what the lost process still owes
    code = DIVERGED
    if isinstance(error, TrainingAlarmError):
        code = ALARMS[error.alarm]
    elif not isinstance(error, TrainingDivergedError):
        raise error
    return _complain(str(error), code) if _speaks() else code  # all processes have the same to say


def _speaks() -> bool:
    """Whether this process is the one of several that talks for all."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"


def _complain(message: str, code: int = FAILED) -> int:
    """Say in one line what is wrong; returns the exit code."""
    print(f"fastgan: {' '.join(message.split())}", file=sys.stderr)
    return code
