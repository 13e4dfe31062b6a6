"""The suite around the harness: options, files, comparison, pictures."""

import importlib.util
import json
from pathlib import Path

import pytest

from bench_scripts import ROOT, script
from fastgan import bench
from fastgan.bench import _files, _plots, _suite, _sweep
from fastgan.bench._results import Result
from fastgan.cli import main

RESULTS = ROOT / "benchmarks" / "results"


def result(seconds=1e-3, noise=0.01, name="work", spread=0.02, **rest):
    quartiles = (seconds * (1 - spread), seconds * (1 + spread))
    times = {"fastgan": seconds, "eager": 3e-3, "copy": 9e-4}
    ratios = {"eager": 3e-3 / seconds, "copy": 9e-4 / seconds}
    return Result(name, 2, times, {"fastgan": quartiles}, ratios, noise, 12.0, **rest)


def only(old, new, threshold=0.1):
    (change,) = _files.compare([old], [new], threshold)
    return change


def test_the_same_times_are_no_regression():
    assert not only(result(), result()).regressed
    assert only(result(), result()).verdict == "within noise"


@pytest.mark.parametrize(
    ("seconds", "noise", "spread", "verdict"),
    [
        (1.2e-3, 0.01, 0.02, "REGRESSED: slower"),
        (1.09e-3, 0.01, 0.02, "slower"),  # below the threshold
        (1.2e-3, 0.2, 0.02, "within noise"),
        (1.2e-3, 0.01, 0.2, "slower"),  # the quartiles overlap
        (0.8e-3, 0.01, 0.02, "faster"),
    ],
)
def test_a_regression_lies_beyond_threshold_noise_and_quartiles(seconds, noise, spread, verdict):
    assert only(result(spread=spread), result(seconds, noise, spread=spread)).verdict == verdict


@pytest.mark.parametrize("column", ["bytes_saved", "launches"])
def test_more_bytes_saved_or_launches_are_a_regression_at_the_same_speed(column):
    change = only(result(**{column: {"fastgan": 1}}), result(**{column: {"fastgan": 2}}))
    assert change.verdict.startswith("REGRESSED: more")
    assert not only(result(), result(**{column: {"fastgan": 2}})).regressed  # the old run did not count


def test_runs_without_a_common_case_cannot_be_compared():
    with pytest.raises(ValueError, match="at least one of this run's cases"):
        _files.compare([result(name="other")], [result()], 0.1)


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "out.json"
    written = result(
        labels={"group": "sweep"}, bytes_saved={"fastgan": 0.25}, share_of_copy=0.5, verdicts={"a": "pass"}
    )
    bench.write_json(path, "cpu", [written], {"suite": "quick"})
    document = _files.read(path)
    assert document.extra == {"suite": "quick"}
    (again,) = document.results
    again.quartiles = {name: tuple(values) for name, values in again.quartiles.items()}
    assert again == written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON"),
        ("[]", "expected a file of results"),
        ('{"machine": {}}', "expected a file of results"),
        ('{"schema": 99, "machine": {}, "results": []}', "schema 1 or 2, got 99"),
        ('{"machine": {}, "results": [{"name": "a"}]}', "expected results with times"),
        ('{"machine": {}, "results": [1]}', "expected results with times"),
    ],
)
def test_a_file_that_is_no_file_of_results_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "old.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        _files.read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.name)
def test_the_files_at_hand_are_of_the_schema(path):
    content = json.loads(path.read_text())
    parts = content["benchmarks"].values() if "benchmarks" in content else [content]
    for part in parts:
        if not {"machine", "results"} <= part.keys():
            continue
        document = _files.parse(part, path)
        assert {"device", "processor", "cores", "torch", "fastgan", "commit", "date"} <= document.machine.keys()
        for each in document.results:
            assert each.seconds["fastgan"] > 0
            assert each.threads >= 1
            assert each.noise >= 0
            assert set(each.ratios) == set(each.seconds) - {"fastgan"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "expected `device` to be cpu or cuda, got 'tpu'"),
        ({"threads": 10_000}, "expected `threads` in"),
        ({"threshold": -1.0}, "expected `threshold` to be at least 0"),
        ({"threshold": float("nan")}, "expected `threshold` to be at least 0"),
        ({"only": "no such case"}, "expected `only` to be a part of a case's name, got 'no such case'"),
        ({"json": Path("/nowhere/at/all.json")}, "expected the folder /nowhere/at"),
        ({"json": Path("/")}, "expected `json` to be a file"),
        ({"compare": Path("/nowhere/at/all.json")}, "/nowhere/at/all.json"),
    ],
)
def test_options_that_cannot_be_served_are_refused_before_anything_is_measured(monkeypatch, options, message):
    monkeypatch.setattr(_suite, "_measure", lambda *_: pytest.fail("measured"))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        _suite.run_benchmarks(_suite.Options(**options))


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--quick", "--threads", "1", "--only", "2 x 64", *map(str, arguments)])
    return stop.value.code


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr(_suite, "QUICK", _suite.Pace(3, 1e-4, 1.0, 40.0))
    monkeypatch.setattr(_suite, "copy_bandwidth", lambda *_, **__: 10.0)


@pytest.mark.usefixtures("quickly")
def test_the_command_measures_writes_draws_and_compares(tmp_path, capsys):
    old, pictures = tmp_path / "old.json", tmp_path / "pictures"
    assert run("--json", old, "--plot", pictures) == 0
    out = capsys.readouterr().out
    assert "D loss, forward + backward, 2 x 64 fp32" in out
    assert "2 x faster than eager" in out
    document = _files.read(old)
    (written,) = document.results
    assert document.extra["suite"] == "quick"
    assert document.extra["settings"]["threads"] == 1
    assert document.machine["serial_dropout"] in (True, False)
    assert written.bytes_saved == {}
    assert (pictures / "targets.png").stat().st_size > 5_000

    content = json.loads(old.read_text())
    slow = content["results"][0]
    slow["noise"] = 0.0
    slow["seconds"]["fastgan"] *= 1e3  # the old run was slow: no regression
    old.write_text(json.dumps(content))
    assert run("--compare", old) == 0
    slow["seconds"]["fastgan"] /= 1e6  # now it was fast
    slow["quartiles"]["fastgan"] = [1e-9, 1e-9]
    old.write_text(json.dumps(content))
    assert run("--compare", old, "--threshold", "0.5") == 1
    assert "REGRESSED: slower" in capsys.readouterr().out
    content["machine"]["device"] = "another"
    old.write_text(json.dumps(content))
    assert run("--compare", old) == 2
    assert "expected `compare` to be of a machine with" in capsys.readouterr().err


@pytest.mark.usefixtures("quickly")
def test_the_suite_prints_plain_tables_without_rich_and_the_command_asks_for_it(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "rich" else find(name, *rest))
    monkeypatch.setitem(__import__("sys").modules, "rich", None)
    assert _suite.run_benchmarks(_suite.Options(quick=True, threads=1, only="2 x 64")) == 0
    out = capsys.readouterr().out
    assert "2 x faster than eager" in out
    assert "─" not in out  # rich's rules
    assert run() == 2
    assert "pip install 'fastgan[bench]'" in capsys.readouterr().err


def test_pictures_show_every_result(tmp_path):
    from PIL import Image

    one, two = tmp_path / "one.png", tmp_path / "two.png"
    assert _plots.bars([result()], one, "title")
    assert _plots.bars([result(), result(2e-3), result()], two, "title")
    heights = []
    for path in (one, two):
        picture = Image.open(path)
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
        heights.append(picture.height)
    assert heights[1] > heights[0]
    roof = tmp_path / "roof.png"
    assert _plots.roofline([result(), result(2e-3)], {2: 10.0}, roof, "title")
    assert len(Image.open(roof).convert("RGB").getcolors(1 << 20)) > 10


def test_nothing_to_draw_draws_nothing(tmp_path):
    assert not _plots.bars([], tmp_path / "bars.png", "title")
    assert not _plots.roofline([], {}, tmp_path / "roof.png", "title")
    assert list(tmp_path.iterdir()) == []


def test_peers_that_are_missing_or_unfit_are_left_out_by_name(monkeypatch, capsys):
    peers = script("peers")

    def unfit(device):
        raise RuntimeError(f"not on {device}")

    found = {"no_such_library": None, "json": unfit, "math": lambda device: {"work": device}}
    monkeypatch.setattr(peers, "PEERS", found)
    assert peers.installed("cpu") == {"math": {"work": "cpu"}}
    assert capsys.readouterr().out == "no_such_library: left out: not installed\njson: left out: not on cpu\n"


def test_a_peer_is_timed_beside_eager_pytorch():
    import torch

    peers = script("peers")
    given = []

    def layer(x, grad):
        given.append((x.shape, grad.shape))
        return lambda: None

    case = peers.case("leaky_relu_dropout", 1 << 12, {"mine": {"leaky_relu_dropout": layer}, "other": {}}, 1)
    assert set(case.make("cpu")) == {"fastgan", "eager", "mine"}
    assert given == [(torch.Size([4096]), torch.Size([4096]))]


def test_jax_drops_and_scales_as_the_layer_does():
    import torch

    pytest.importorskip("jax")
    peers = script("peers")
    x, grad = torch.rand(1 << 16) + 0.5, torch.ones(1 << 16)
    y, own = peers.jax_works("cpu")["leaky_relu_dropout"](x, grad)()
    kept = torch.tensor(own.tolist()) != 0
    assert kept.float().mean().item() == pytest.approx(0.7, abs=0.01)  # 5 standard deviations of 65,536 draws
    torch.testing.assert_close(torch.tensor(y.tolist()), torch.where(kept, x / 0.7, 0.0), rtol=1e-6, atol=0.0)


def test_the_sweep_counts_the_bytes_that_its_device_saves(monkeypatch):
    asked = []
    monkeypatch.setattr(_sweep, "saved_by", lambda *arguments: asked.append(arguments) or {})
    case = next(c for c in _sweep.sweep_cases(1, device="cuda") if c.labels["varied"] == "dtype")
    case.saved()
    assert asked == [(case.labels["work"], _sweep.DTYPES[case.labels["dtype"]], "cuda")]
