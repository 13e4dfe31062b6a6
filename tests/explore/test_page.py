"""The page of `fastgan explore` in a real browser: Gradio, served on 127.0.0.1, and Chromium."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from browser import open_chromium, skip_without_browser, watched_page
from fastgan.train import GANTrainer, TrainConfig

skip_without_browser("gradio")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "digits"
    return GANTrainer(TrainConfig(recipe="conditional", steps=3, batch_size=16, device="cpu", out=str(out))).fit()


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _command(run, port):
    code = "import fastgan.cli; fastgan.cli.main()"
    return [sys.executable, "-c", code, "explore", str(run), "--port", str(port), "--no-browser"]


@pytest.fixture(scope="module")
def address(run):
    """The served page, which Ctrl-C must end."""
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    command = _command(run, _free_port())
    # Python started in the folder of the sources would find them before the installed package.
    with subprocess.Popen(command, cwd=run, stdout=subprocess.PIPE, text=True, env=environment) as served:
        line = served.stdout.readline()
        yield re.search(r"http://127\.0\.0\.1:\d+", line)[0]
        served.send_signal(signal.SIGINT)
        assert served.wait(30) == 0


def test_another_seed_shows_another_picture_and_logit(address):
    with open_chromium() as browser, watched_page(browser) as page:
        page.goto(address)
        image, logit = page.locator("#sample img"), page.locator("#logit textarea, #logit input").first
        image.wait_for()
        old, said = image.get_attribute("src"), logit.input_value()
        page.get_by_label("Seed", exact=True).fill("7")
        page.keyboard.press("Enter")
        page.wait_for_function("old => document.querySelector('#sample img').src !== old", arg=old)
        assert logit.input_value() != said


def test_a_port_in_use_is_one_line_and_exit_code_1(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = subprocess.run(
            _command(run, taken.getsockname()[1]), cwd=run, capture_output=True, text=True, check=False, timeout=120
        )
    assert ended.returncode == 1
    assert "expected a free --port" in ended.stderr
    assert "Traceback" not in ended.stderr
