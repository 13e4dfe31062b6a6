"""The command line: `fastgan train`, `sample`, `eval`, `synth`, `fit` and others; `fastgan --help` lists them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from fastgan._support.extras import MissingExtraError, require
from fastgan.cli import info
from fastgan.cli._arguments import expand_home, split_pairs
from fastgan.cli._terminal import is_rank_zero, print_error

__all__ = ["ALARMS", "main"]

# Exit codes; those of signals are 128 plus the signal's number, as a shell has them.
FAILED, BAD_INPUT, DIVERGED = 1, 2, 3
ALARMS = {"dead": 4, "saturated": 5, "collapsed": 6, "memorised": 7}


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
    except KeyboardInterrupt as stop:
        if is_rank_zero():
            _report(str(stop) or "interrupted; nothing was saved")
        code = 128 + getattr(stop, "signal", 2)
    except (MissingExtraError, ValueError, TypeError, FileNotFoundError) as error:
        code = _report(str(error), BAD_INPUT)
    except BrokenPipeError:  # as in `fastgan eval RUN | head -1`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the interpreter flushes it at exit
        code = FAILED
    except (OSError, RuntimeError) as error:
        code = _report_error(error)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """Parse the arguments with typer, run the command and return the exit code."""
    command = require("typer.main").get_command(_app(require("typer")))
    try:
        # Commands only return what to do, which runs outside typer: typer has an exit code of its own for an interrupt.
        action = command.main(split_pairs(arguments) or ["--help"], prog_name="fastgan", standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):  # which typer's errors of usage have
            raise
        return _report(f"{error.format_message()} (fastgan --help tells more)", BAD_INPUT)
    if callable(action):
        action()
        return 0
    return action if isinstance(action, int) else 0


def _app(typer: Any) -> Any:
    """The typer application with all commands; a command parses its options and returns what to do."""
    from fastgan.cli import bench, evaluate, explain, explore, fit, impute, predict, report, sample, synth, train

    about = "Train GANs with fused kernels. `fastgan --version` prints the version."
    app = typer.Typer(help=about, add_completion=False)
    for command in (train, sample, evaluate, report, bench, fit, predict, impute, synth, explain, explore):
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
