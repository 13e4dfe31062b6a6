"""The command line: `fastgan train`, `sample`, `eval`, `report` and the others that `fastgan --help` lists."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from fastgan._support.extras import MissingExtraError, require
from fastgan.cli import info
from fastgan.cli._arguments import expand_home, split_pairs
from fastgan.cli._terminal import is_rank_zero, print_error

__all__ = ["ALARMS", "main", "preload"]

# Exit codes; those of signals are 128 plus the signal's number, as a shell has them.
FAILED, BAD_INPUT, DIVERGED, INTERRUPTED = 1, 2, 3, 130
ALARMS = {"dead": 4, "saturated": 5, "collapsed": 6, "memorised": 7}

# What each command loads that takes long to import.
_LOADS = {
    "train": ("fastgan.train", "fastgan.metrics.report", "matplotlib.figure", "torch.utils.tensorboard"),
    "sample": ("fastgan.train", "safetensors.torch"),
    "translate": ("fastgan.train", "safetensors.torch"),
    "eval": ("fastgan.train", "fastgan.metrics.report", "safetensors.torch"),
    "report": ("fastgan.report", "fastgan.metrics.report", "jinja2", "matplotlib.figure"),
    "explore": ("fastgan.explore", "gradio", "captum.attr"),
    "explain": ("fastgan.explain", "captum.attr", "matplotlib.figure"),
    "fit": ("fastgan.supervised.fitting", "sklearn.model_selection", "matplotlib.figure"),
    "predict": ("fastgan.supervised.saved", "sklearn.model_selection"),
    "impute": ("fastgan.tabular.impute",),
    "synth": ("fastgan.tabular", "fastgan.metrics.fidelity", "pandas"),
    "prepare": ("fastgan.data.prepared",),
    "bench": ("fastgan.bench", "rich.table"),
}


def preload(arguments: Sequence[str]) -> None:
    """Import what the command will need; a library that is missing is left to the command, which names its extra.

    Args:
        arguments: the command and its options.
    """
    if not arguments or arguments[0] not in _LOADS or "--help" in arguments:
        return
    for module in ("typer", "fastgan.train", *_LOADS[arguments[0]]):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done; 1 the system refused (a full disk, say); 2 bad options or input; 3 the
    training diverged; 4 to 7 an alarm stopped it (a dead loss, D saturated, mode collapse,
    memorisation); 130 and 143 interrupted by SIGINT and SIGTERM, with a checkpoint saved.

    Args:
        arguments: the command and its options; None takes those of the process.

    Raises:
        SystemExit: always, with the exit code: a MissingExtraError, say, becomes a line on stderr and code 2. Only an
            error of the program itself is raised as it is.
    """
    arguments = expand_home(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments == ["info"]:  # works without typer, on the base install
            info.info()
            code = 0
        elif arguments == ["--version"]:
            info.version()
            code = 0
        else:
            code = _run(arguments)
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        code = _ended_by(error)
    sys.exit(code)


def _ended_by(error: BaseException) -> int:
    """Print what ended a command and return the exit code; raise `error` again if it is a fault of the program."""
    stop = _interrupt_behind(error)
    if stop is not None:
        if is_rank_zero():
            _report(str(stop) or "interrupted; nothing was saved")
        return 128 + int(getattr(stop, "signal", 2))
    if isinstance(error, MissingExtraError | ValueError | TypeError | FileNotFoundError):
        return _report(str(error), BAD_INPUT)
    if isinstance(error, BrokenPipeError):  # as in `fastgan eval RUN | head -1`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the interpreter flushes it at exit
        return FAILED
    if isinstance(error, OSError | RuntimeError):
        return _report_error(error)
    raise error


def _interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that is `error`, or of which a library made another error, as one does that is being imported."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def _run(arguments: list[str]) -> int:
    """Parse the arguments with typer, run the command and return the exit code."""
    from fastgan.train import TrainConfig

    command = require("typer.main").get_command(_app(require("typer")))
    try:
        # Commands only return what to do, which runs outside typer: typer has an exit code of its own for an interrupt.
        action = command.main(
            split_pairs(arguments, TrainConfig.tuples()) or ["--help"], prog_name="fastgan", standalone_mode=False
        )
    except Exception as error:
        if not hasattr(error, "format_message"):  # which typer's errors of usage have
            raise
        return _report(f"{error.format_message()} (fastgan --help tells more)", BAD_INPUT)
    if action == INTERRUPTED:  # what typer makes of an interrupt
        raise KeyboardInterrupt
    if callable(action):
        action()
        return 0
    return action if isinstance(action, int) else 0


def _app(typer: Any) -> Any:
    """The typer application with all commands; a command parses its options and returns what to do."""
    from fastgan.cli import (
        bench,
        evaluate,
        explain,
        explore,
        fit,
        impute,
        predict,
        prepare,
        report,
        sample,
        synth,
        train,
        translate,
    )

    about = "Train GANs with fused kernels. `fastgan --version` prints the version."
    app = typer.Typer(help=about, add_completion=False)
    gan = (train, prepare, sample, translate, evaluate, report, explore, explain)
    for command in (*gan, bench, fit, predict, impute, synth):
        command.add_command(app, typer)
    info.add_command(app)
    return app


def _report_error(error: OSError | RuntimeError) -> int:
    """Print what stopped a command and return the exit code; raise `error` again if it is a fault of the program."""
    from fastgan.train import CheckpointError, TrainingAlarmError, TrainingDivergedError
    from fastgan.train.distributed import FirstProcessError, LostProcessError

    if isinstance(error, OSError | CheckpointError):
        return _report(str(error))
    if isinstance(error, FirstProcessError | LostProcessError):
        if isinstance(error, LostProcessError):  # after a FirstProcessError the first process prints the reason
            _report(str(error))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(FAILED)  # the usual end of the interpreter would wait for the lost process
    code = DIVERGED
    if isinstance(error, TrainingAlarmError):
        code = ALARMS[error.alarm]
    elif not isinstance(error, TrainingDivergedError):
        raise error
    return _report(str(error), code) if is_rank_zero() else code  # all processes have the same message


def _report(message: str, code: int = FAILED) -> int:
    """Print a message as one line and return the exit code."""
    print_error(message)
    return code
