"""benchmarks/translation.py: a try on digits that need no package, its file, table and pictures."""

import json

import pytest

from bench_scripts import script

pytest.importorskip("sklearn")
pytest.importorskip("PIL")


@pytest.fixture
def translation():
    return script("translation")


def _run(translation, monkeypatch, folder, *arguments):
    given = ["translation.py", *arguments, "--json", str(folder / "scores.json"), "--cache", str(folder / "cache")]
    monkeypatch.setattr("sys.argv", given)
    translation.main()


def test_a_quick_try_trains_scores_draws_and_is_not_repeated(translation, tmp_path, monkeypatch, capsys):
    _run(translation, monkeypatch, tmp_path, "--quick", "--cores", "1", "--kinds", "mask,half", "--plot", str(tmp_path))
    said = capsys.readouterr().out
    runs = json.loads((tmp_path / "scores.json").read_text())["runs"]
    assert list(runs) == ["mask, 32 pixels", "half, 32 pixels"]
    for run in runs.values():
        assert (run["minutes"], run["steps"], run["held_out"]) == (0, 2, 20)
        assert 0 < run["l1_of_inputs"] < run["l1"] < 1  # two steps make it worse
    width, height = 4 * (3 * 32 + 2), 4 * (32 + 2)
    image = pytest.importorskip("PIL.Image")
    for kind in ("mask", "half"):
        assert image.open(tmp_path / f"translation-{kind}-32.png").size == (width, height)
    monkeypatch.setattr(translation, "train", lambda *_: pytest.fail("trained again"))
    _run(translation, monkeypatch, tmp_path, "--quick", "--cores", "1", "--kinds", "mask,half")
    assert capsys.readouterr().out in said


def test_the_table_goes_into_the_page(translation, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- translation -->\nold\n<!-- end of translation -->\nafter\n")
    monkeypatch.setattr(translation, "PAGE", page)
    run = {"minutes": 15, "steps": 1200, "l1_of_inputs": 0.1, "l1": 0.05, "fid": None, "real_fid": 0.25}
    content = {"machine": {"processor": "A CPU", "torch": "2.13.0", "date": "2026-11-28"}, "cores": 2}
    (tmp_path / "scores.json").write_text(json.dumps(content | {"runs": {"grey, 64 pixels": run}}))
    _run(translation, monkeypatch, tmp_path, "--page")
    assert page.read_text().splitlines() == [
        *("before", "<!-- translation -->", "A CPU, 2 threads, torch 2.13.0, 2026-11-28.", ""),
        "| inputs | minutes | steps | L1 of inputs | L1 | FID | real data |",
        "|---|---|---|---|---|---|---|",
        "| grey, 64 pixels | 15 | 1,200 | 0.1000 | 0.0500 |  | 0.25 |",
        *("<!-- end of translation -->", "after"),
    ]


def test_a_page_without_marks_is_refused_and_left(tmp_path):
    pages, page = script("_pages"), tmp_path / "page.md"
    page.write_text("no marks")
    with pytest.raises(ValueError, match=r"page\.md: expected the lines <!-- x --> and <!-- end of x -->, found none"):
        pages.write_between(page, "x", ["line"])
    assert page.read_text() == "no marks"


def test_an_unknown_kind_is_refused(translation, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        _run(translation, monkeypatch, tmp_path, "--kinds", "grey,night")
    assert "--kinds: expected some of grey, edges, mask, half, downscale, got night" in capsys.readouterr().err


def test_a_file_of_another_script_is_refused_and_left(translation, tmp_path, monkeypatch):
    (tmp_path / "scores.json").write_text("{}")
    with pytest.raises(ValueError, match="translation: expected --json to be new or a file of this script"):
        _run(translation, monkeypatch, tmp_path, "--quick")
    assert (tmp_path / "scores.json").read_text() == "{}"
