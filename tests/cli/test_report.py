"""`fastgan report`."""

import pytest

import fastgan.cli
from fastgan.train import GANTrainer, TrainConfig


def _fastgan(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "ring"
    return GANTrainer(TrainConfig(data="ring", steps=2, batch_size=8, out=str(out))).fit()


def test_the_command_says_where_the_page_is(run, tmp_path, capsys):
    assert _fastgan("report", run, "--no-measure", "--out", tmp_path / "page.html") == 0
    assert f"written to {tmp_path / 'page.html'}" in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_a_folder_that_is_no_run_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert _fastgan("report", tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1
