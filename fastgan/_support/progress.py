"""Progress of long work on stderr: a bar on a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from fastgan._support.extras import require

_SECONDS = 30.0  # between two lines
_SHARE = 0.1  # of the work, after which there is a line sooner
_LEAST = 1.0  # seconds between two lines in any case


class Progress(Protocol):
    """How far some work is."""

    def update(self, count: int = 1) -> None:
        """Note that `count` more units are done."""

    def status(self, text: str) -> None:
        """Show `text` beside the progress from now on."""

    def say(self, text: str) -> None:
        """Print `text` as a line of its own."""

    def close(self) -> None:
        """End the progress."""


def open_progress(what: str, total: int, initial: int = 0, unit: str = "step") -> Progress:
    """Begin to show the progress of `total` units of work on stderr.

    Args:
        what: the command's name.
        total: units in all.
        initial: units that were done before.
        unit: what is counted.

    Raises:
        MissingExtraError: on a terminal, without tqdm.
    """
    if sys.stderr.isatty():
        return _Bar(total, initial, unit)
    return Lines(what, total, initial, unit)


class _Bar:
    """A bar of tqdm."""

    def __init__(self, total: int, initial: int, unit: str) -> None:
        tqdm = require("tqdm").tqdm
        self._bar: Any = tqdm(total=total, initial=initial, unit=unit, smoothing=0.1, dynamic_ncols=True)

    def update(self, count: int = 1) -> None:
        self._bar.update(count)

    def status(self, text: str) -> None:
        self._bar.set_postfix_str(text, refresh=False)

    def say(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self._bar.close()


class Lines:
    """A line when a tenth of the work is done since the last, or 30 seconds have passed; for logs and pipes.

    Args:
        what: the command's name.
        total: units in all.
        initial: units that were done before.
        unit: what is counted.
        clock: the time in seconds.
        write: prints a line.
    """

    def __init__(
        self,
        what: str,
        total: int,
        initial: int = 0,
        unit: str = "step",
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] | None = None,
    ) -> None:
        self._what, self._total, self._first, self._unit = what, total, initial, unit
        self._clock, self._write = clock, write or (lambda text: print(text, file=sys.stderr, flush=True))
        self._done = self._told = initial
        self._start = self._last = clock()
        self._status = ""

    def update(self, count: int = 1) -> None:
        """Note that `count` more units are done, and print a line if it is due."""
        self._done += count
        now = self._clock()
        passed, share = now - self._last, (self._done - self._told) / max(1, self._total)
        if passed >= _SECONDS or (passed >= _LEAST and share >= _SHARE):
            self._tell(now)

    def status(self, text: str) -> None:
        """Add `text` to the lines from now on."""
        self._status = text

    def say(self, text: str) -> None:
        """Print `text` as a line."""
        self._write(text)

    def close(self) -> None:
        """Print a last line, unless nothing was done since the last one."""
        if self._done > self._told:
            self._tell(self._clock())

    def _tell(self, now: float) -> None:
        done, total = self._done, self._total
        parts = [f"{self._what}: {self._unit} {done:,} of {total:,} ({done / max(1, total):.0%})"]
        elapsed, made = now - self._start, done - self._first
        if elapsed > 0:
            rate = made / elapsed
            parts.append(f"{rate:,.1f} {self._unit}s/s" if rate >= 1 else f"{1 / rate:,.1f} s a {self._unit}")
            parts.append(f"{_time((total - done) / rate)} left" if done < total else f"{_time(elapsed)} in all")
        self._write(", ".join(parts) + (f"; {self._status}" if self._status else ""))
        self._last, self._told = now, done


def _time(seconds: float) -> str:
    """Seconds as 1:05 or 2:03:04."""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
