"""The entry point of the command `fastgan`: it answers Ctrl-C from the start, while the libraries are loaded.

It stands outside the package, as `import fastgan` imports torch, which takes a second or two. A KeyboardInterrupt in
the midst of that would end in a traceback of import machinery, or in a crash of a half-loaded library.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def _end(number: int, frame: FrameType | None) -> None:
    """End at once, with the code that a shell gives for the signal `number`; nothing has been done yet."""
    if os.environ.get("RANK", "0") == "0":  # one line also where torchrun starts several processes
        os.write(2, b"fastgan: interrupted; nothing was saved\n")
    os._exit(128 + number)


def main() -> None:
    """Run the command line of `fastgan.cli.main` and exit.

    Raises:
        SystemExit: always, with the exit code.
    """
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:  # else it is ignored, as for commands in the background of a shell
        signal.signal(signal.SIGINT, _end)
    from fastgan.cli import main as run
    from fastgan.cli import preload

    preload(sys.argv[1:])
    try:
        signal.signal(signal.SIGINT, usual)
        run()
    except KeyboardInterrupt:  # between these two lines; later ones are reported by the command line
        _end(signal.SIGINT, None)
