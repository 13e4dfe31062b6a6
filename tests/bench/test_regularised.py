"""What benchmarks/regularised.py measures, keeps and draws; the works themselves take minutes and are left out."""

import json
import types

import pytest

from bench_scripts import script

pytest.importorskip("sklearn")
WORKS = ("penalties", "imbalance", "imputation", "wrong_labels", "explanations")


@pytest.fixture
def regularised(monkeypatch, tmp_path):
    """A function that runs the script in an empty folder, every work of which gives its own name."""
    module = script("regularised")
    for name in WORKS:
        monkeypatch.setattr(module, name, lambda name=name: name)
    found = types.SimpleNamespace(fit=lambda *_: found, lines=list, rows="rows", plot=lambda path, _: path.touch())
    monkeypatch.setattr(module, "Search", lambda *_, **__: found)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["regularised.py", *arguments])
        module.main()

    return run


def test_all_works_are_measured_and_nothing_is_written_that_was_not_asked_for(regularised, tmp_path, capsys):
    regularised()
    assert capsys.readouterr().out.count("-- ") == len(WORKS) + 1
    assert list(tmp_path.iterdir()) == []


def test_one_work_leaves_the_figures_of_others_and_may_start_a_file(regularised, tmp_path):
    path = tmp_path / "new.json"
    regularised("--only", "penalties", "--json", str(path))
    regularised("--only", "dropout search", "--json", str(path), "--plot", str(tmp_path / "drawn.png"))
    assert json.loads(path.read_text())["figures"] == {"penalties": "penalties", "dropout search": "rows"}
    assert (tmp_path / "drawn.png").exists()


def test_a_misspelt_work_is_refused(regularised, capsys):
    with pytest.raises(SystemExit) as stop:
        regularised("--only", "penalty")
    assert stop.value.code == 2
    assert "'penalties'" in capsys.readouterr().err
