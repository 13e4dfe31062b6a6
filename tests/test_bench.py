"""The benchmark harness, on a clock that the test holds."""

import json

import pytest
import torch

from fastgan import bench, bench_cases


def fake_clock(seconds, drift=0.0):
    """Each way takes its own time, and everything slows down by `drift` a call."""
    calls = [0]

    def clock(work, runs, threads):
        calls[0] += 1
        return seconds[work()] * (1 + drift * calls[0])

    return clock


def case(targets=(), ways=("fastgan", "eager")):
    return bench.Case("work", lambda device: {name: lambda name=name: name for name in ways}, 1, 8_000, targets)


def test_ratio_is_the_peers_time_over_ours():
    result = bench.measure(case(), clock=fake_clock({"fastgan": 2e-6, "eager": 6e-6}))
    assert result.ratios == {"eager": pytest.approx(3)}
    assert result.seconds == {"fastgan": pytest.approx(2e-6), "eager": pytest.approx(6e-6)}
    assert result.gigabytes_per_second == pytest.approx(4)
    assert result.noise == pytest.approx(0)


def test_drift_of_the_machine_cancels():
    result = bench.measure(case(), clock=fake_clock({"fastgan": 1e-6, "eager": 3e-6}, drift=0.002))
    assert result.ratios["eager"] == pytest.approx(3, rel=0.01)
    assert result.seconds["eager"] > 3.05e-6


@pytest.mark.parametrize(("ratio", "verdict"), [(2.9, "pass"), (3.1, "FAIL")])
def test_verdict(ratio, verdict):
    result = bench.measure(case([bench.Target("eager", ratio)]), clock=fake_clock({"fastgan": 1e-6, "eager": 3e-6}))
    assert list(result.verdicts.values()) == [verdict]


def test_a_ratio_within_the_noise_of_its_target_is_refused():
    seconds = iter([*[1.0] * 6, *[1.0, 3.0, 1.3], *[1.3, 3.0, 1.0]])  # two calibrations a way, then two rounds
    result = bench.measure(case([bench.Target("eager", 2.9)]), rounds=2, clock=lambda *_: next(seconds))
    assert result.noise == pytest.approx(0.3)
    assert list(result.verdicts.values()) == ["within noise"]


def test_json_names_machine_and_results(tmp_path):
    result = bench.measure(case([bench.Target("eager", 2)]), clock=fake_clock({"fastgan": 1e-6, "eager": 3e-6}))
    bench.write_json(tmp_path / "out.json", "cpu", [result], {"bytes_saved": 0.25})
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["machine"]["torch"] == torch.__version__
    assert {"processor", "cores", "fastgan", "commit", "date"} <= set(written["machine"])
    assert written["results"][0]["ratios"]["eager"] == pytest.approx(3)
    assert written["bytes_saved"] == 0.25
    assert "3.00x" in bench.line(result)


def test_every_case_runs():
    settings = {"threads": 2, "compiled": False}
    for each in bench_cases.activation_cases(**settings) + bench_cases.loss_cases(**settings):
        if "33.5 M" in each.name:
            continue  # the same work on more elements
        for work in each.make("cpu").values():
            work()


def test_bytes_saved():
    saved = bench_cases.saved_for_backward()
    assert saved["fastgan"] == 0.25
    assert saved["eager"] >= 5
