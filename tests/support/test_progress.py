"""The progress of long work is a bar on a terminal and a line now and then elsewhere."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from fastgan._support import progress


class Clock:
    """A time that passes when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def _lines(total, seconds, **options):
    """The lines of work of `total` steps that take `seconds` each."""
    clock, written = Clock(), []
    lines = progress.Lines("train", total, clock=clock, write=written.append, **options)
    for _ in range(total - options.get("initial", 0)):
        clock.now += seconds
        lines.update()
    lines.close()
    return written


@pytest.mark.parametrize(
    ("total", "seconds", "least", "most"),
    [
        (1_000, 0.0001, 1, 1),  # over in a moment: a line at the end
        (1_000, 0.05, 10, 11),  # 50 s: each tenth
        (10_000, 3.6, 1106, 1116),  # ten hours: the ninth step is the first after 30 s
        (3, 3600, 3, 3),
    ],
)
def test_lines_come_at_each_tenth_or_after_half_a_minute(total, seconds, least, most):
    written = _lines(total, seconds)
    assert least <= len(written) <= most
    assert written[-1].startswith(f"train: step {total:,} of {total:,} (100%)")
    assert not any("\r" in line or "\n" in line for line in written)


def test_a_line_tells_the_rate_what_is_left_and_the_status():
    clock, written = Clock(), []
    lines = progress.Lines("train", 1000, 500, clock=clock, write=written.append)
    lines.status("D 1.386")
    clock.now += 50
    lines.update(100)
    assert written == ["train: step 600 of 1,000 (60%), 2.0 steps/s, 3:20 left; D 1.386"]
    clock.now += 7200
    lines.update(1)
    assert written[1] == "train: step 601 of 1,000 (60%), 71.8 s a step, 7:57:21 left; D 1.386"
    lines.say("a note")
    lines.close()
    assert written[2:] == ["a note"]


WORK = """
import time
from fastgan._support.progress import open_progress
bar = open_progress("work", 2000)
for _ in range(2000):
    time.sleep(0.0005)
    bar.update()
bar.say("said")
bar.close()
"""


def test_a_log_gets_whole_lines_and_a_terminal_a_bar(tmp_path):
    logged = subprocess.run([sys.executable, "-c", WORK], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "\r" not in logged.stderr
    assert "said\n" in logged.stderr
    assert "work: step 2,000 of 2,000 (100%)" in logged.stderr
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([sys.executable, "-c", WORK], cwd=tmp_path, stderr=end, check=True)
    os.close(end)
    shown = b""
    try:
        while part := os.read(terminal, 4096):
            shown += part
    except OSError:  # the end of a terminal
        pass
    assert b"\r" in shown
    assert b"2000/2000" in shown
