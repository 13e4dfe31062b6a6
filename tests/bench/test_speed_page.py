"""benchmarks/speed_page.py: the tables of docs/speed.md and README, and the picture, are those of the files."""

import json
import shutil

import pytest

from bench_scripts import ROOT, script

RESULTS = ROOT / "benchmarks" / "results"
RUN = "run python benchmarks/speed_page.py"


@pytest.fixture(scope="module")
def page():
    return script("speed_page")


@pytest.fixture
def copy(page, tmp_path, monkeypatch):
    """A copy of all that the script reads and writes; README has the marks."""
    shutil.copytree(RESULTS, tmp_path / page.RESULTS)
    (tmp_path / page.PAGE).parent.mkdir()
    (tmp_path / page.PAGE).write_text("\n".join(["# Speed", *page.PAGE_MARKS, "the end", ""]))
    (tmp_path / page.README).write_text("\n".join(["# fastgan", *page.README_MARKS, "the end", ""]))
    monkeypatch.setattr(page, "ROOT", tmp_path)
    return tmp_path


def run(page, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["speed_page.py", *arguments])
    page.main()


def test_the_pages_say_what_the_files_say(page):
    for path, text in page.pages(ROOT).items():
        if path.name == page.README and text is None:
            continue  # README shows the table only where it has the marks
        assert path.read_text() == text, RUN


def test_the_picture_was_drawn_from_the_files(page):
    from PIL import Image

    path = RESULTS / page.PICTURE
    picture = Image.open(path)
    assert picture.text["Source"] == page.sources(RESULTS), RUN
    assert picture.width <= 1000
    assert path.stat().st_size < 100_000


def test_both_pages_and_the_picture_are_written_and_then_up_to_date(page, copy, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="out of date: run python"):
        run(page, monkeypatch, "--check")
    (copy / page.RESULTS / page.PICTURE).unlink()
    run(page, monkeypatch)
    assert (copy / page.RESULTS / page.PICTURE).stat().st_size > 10_000
    for name in (page.PAGE, page.README):
        assert (copy / name).read_text().startswith("# ")
        assert (copy / name).read_text().endswith("the end\n")
    run(page, monkeypatch, "--check")
    said = capsys.readouterr().out
    assert "README.md: written" in said
    assert "lacks" not in said


def test_a_page_without_marks_is_left_alone_and_named(page, copy, monkeypatch, capsys):
    (copy / page.README).write_text("# no marks\n")
    run(page, monkeypatch)
    assert (copy / page.README).read_text() == "# no marks\n"
    said = capsys.readouterr().out
    assert "README.md: left as it is: it lacks the lines <!-- speed table --> and <!-- end of speed table -->" in said
    run(page, monkeypatch, "--check")


def test_readme_shows_eight_works_of_one_machine_with_times_and_ratios_the_largest_first(page):
    lines = page.short_table(RESULTS).splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines[2:10]]
    ratios = [float(row[-1].removesuffix("x")) for row in rows]
    assert ratios == sorted(ratios, reverse=True)
    content = json.loads((RESULTS / f"{page.MACHINE}.json").read_text())
    first = next(r for r in content["results"] if page.WORKS.get((r["name"], r["threads"])) == rows[0][0])
    assert ratios[0] == pytest.approx(first["ratios"]["eager"], abs=0.005)
    assert rows[0][1:4] == ["2", page.duration(first["seconds"]["eager"]), page.duration(first["seconds"]["fastgan"])]
    caption = " ".join(lines[10:])
    assert content["machine"]["torch"] in caption
    assert content["machine"]["date"] in caption


def test_a_work_that_is_missing_is_named(page, copy):
    (copy / page.RESULTS / f"step-{page.MACHINE}.json").unlink()
    with pytest.raises(ValueError, match=r"expected \[\('MLP GAN, batch 64', 2\)\]"):
        page.short_table(copy / page.RESULTS)


def test_machines_have_tables_of_their_own_with_maker_threads_and_verdicts(page, tmp_path):
    content = json.loads((RESULTS / "intel-xeon-2-cores.json").read_text())
    row = {"name": "work", "threads": 2, "seconds": {"fastgan": 1e-3, "eager": 3e-3, "copy": 9e-4}, "noise": 0.01}
    row |= {"quartiles": {}, "ratios": {"eager": 3.0, "copy": 0.9}, "gigabytes_per_second": 1.0}
    row |= {"verdicts": {"2 x faster than eager": "pass"}, "labels": {"group": "target"}}
    varied = {**row, "name": "varied", "verdicts": {}, "labels": {"group": "sweep"}}
    for name, device, serial in (("a", "AMD EPYC", True), ("b", "Intel Xeon", False)):
        about = {**content["machine"], "device": device, "processor": device, "serial_dropout": serial, "vendor": ""}
        (tmp_path / f"{name}.json").write_text(json.dumps({"schema": 2, "machine": about, "results": [row, varied]}))
    report = {"gpu": "H200", "benchmarks": {"micro": json.loads((tmp_path / "a.json").read_text())}}
    report["benchmarks"]["micro"]["machine"]["device"] = "NVIDIA H200"
    (tmp_path / "c.json").write_text(json.dumps(report))
    (tmp_path / "d.json").write_text('{"scores": [1, 2]}')  # not timings
    text = page.every_table(tmp_path)
    assert text.count("| work | threads | fastgan | eager | copy | target: result |") == 3
    assert text.count("| varied | 2 | 1 ms | 3.00x | 0.90x |\n") >= 2
    assert "AMD EPYC, 2 cores, 2 threads; torch" in text
    assert "dropout drawn by MKL." in " ".join(text.split())
    assert "## NVIDIA H200\n" in text
    assert "| work | 2 | 1 ms | 3.00x | 0.90x | 2 x faster than eager: pass |" in text
    assert "1 targets met, 0 within noise, 0 missed" in " ".join(text.split())
