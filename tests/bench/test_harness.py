"""The benchmark harness, on a clock that the test holds."""

import json
import math

import pytest
import torch

from fastgan import bench
from fastgan.bench import _cases, _harness, _results, _sweep, _tables, _worker, _workloads


def fake_clock(seconds, drift=0.0):
    """Each implementation takes its own time, and everything slows down by `drift` a call."""
    calls = [0]

    def clock(work, runs, threads):
        calls[0] += 1
        return seconds[work()] * (1 + drift * calls[0])

    return clock


def case(targets=(), ways=("fastgan", "eager"), **rest):
    return bench.Case("work", lambda device: {name: lambda name=name: name for name in ways}, 1, 8_000, targets, **rest)


def measured(seconds, targets=(), **rest):
    return bench.measure(case(targets, tuple(seconds), **rest), clock=fake_clock(seconds))


def test_ratio_is_the_peers_time_over_ours():
    result = measured({"fastgan": 2e-6, "eager": 6e-6})
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
    result = measured({"fastgan": 1e-6, "eager": 3e-6}, [bench.Target("eager", ratio)])
    assert list(result.verdicts.values()) == [verdict]


def noisy(target):
    seconds = iter([*[1.0] * 4, *[1.0, 3.0, 1.3], *[1.3, 3.0, 1.0]])  # two calibrations each, then two rounds
    return bench.measure(case([bench.Target("eager", target)]), rounds=2, clock=lambda *_: next(seconds))


def test_a_ratio_within_the_noise_of_its_target_is_refused():
    assert noisy(2.9).noise == pytest.approx(0.3)
    assert list(noisy(2.9).verdicts.values()) == ["within noise"]
    assert list(noisy(2.0).verdicts.values()) == ["pass"]


def test_a_ratio_within_the_noise_of_one_is_refused():
    result = _results.Result("work", 1, {}, {}, {"eager": 1.04, "copy": 1.2}, 0.05, 0.0)
    assert _tables.ratio(result, "eager") == "within noise"
    assert _tables.ratio(result, "copy") == "1.20x"


def test_unsteady_rounds_are_noise_although_their_median_is_right():
    assert _results._noise([1.0] * 9) == 0
    # Quartiles 0.9 and 1.1 of 9 rounds: 1.57 * 0.2 / 3.
    assert _results._noise([0.8, 0.8, 0.9, 0.9, 1.0, 1.1, 1.1, 1.2, 1.2]) == pytest.approx(1.57 * 0.2 / 3)


def test_a_target_that_needs_a_peer_which_is_missing_is_not_measured():
    assert list(measured({"fastgan": 1e-6, "eager": 3e-6}, [bench.Target("jax", 2)]).verdicts.values()) == [
        "not measured"
    ]


def test_a_target_of_scaling_is_held_only_where_the_copy_scales():
    seconds = {"fastgan": 1e-6, "one": 1.2e-6, "copy": 1e-6, "copy, one": 1.3e-6}
    target = bench.Target("one", 1.7, where=("copy", "copy, one"))
    assert "reaches 1.30 x" in next(iter(measured(seconds, [target]).verdicts.values()))
    assert list(measured({**seconds, "copy, one": 1.9e-6}, [target]).verdicts.values()) == ["FAIL"]


def test_implementations_run_on_their_own_threads():
    seen = {}

    def clock(work, runs, threads):
        seen[work()] = threads
        return 1e-3

    one = case(ways=("fastgan", "one"), threads_of={"one": 1})
    bench.measure(bench.Case("work", one.make, 4, threads_of=one.threads_of), clock=clock)
    assert seen == {"fastgan": 4, "one": 1}


@pytest.mark.parametrize(("bytes_saved", "verdict"), [(0.25, "pass"), (0.27, "FAIL")])
def test_bytes_saved_are_held_to_their_limit(bytes_saved, verdict):
    result = measured({"fastgan": 1e-6}, saved=lambda: {"fastgan": bytes_saved}, most_saved=0.26)
    assert result.verdicts == {"at most 0.26 bytes saved an element": verdict}
    assert _tables.target_rows([result])[0][3] == f"{bytes_saved}"


def test_rounds_shrink_to_the_limit_but_not_below_three():
    seconds = {"fastgan": 1.0, "eager": 2.0}  # a round: fastgan twice and eager
    for limit, rounds in ((math.inf, 15), (20, 5), (1, 3)):
        assert bench.measure(case(), limit=limit, clock=fake_clock(seconds)).rounds == rounds


def test_short_work_fills_its_seconds_and_long_work_runs_once():
    assert _harness._runs_for(None, 1, 0.02, lambda *_: 1e-5)[0] == pytest.approx(2000, abs=1)
    assert _harness._runs_for(None, 1, 0.02, lambda *_: 0.2) == (1, 0.2)


def test_a_peer_that_raises_is_left_out_by_name_and_our_own_error_is_not_hidden():
    def make(device):
        return {"fastgan": lambda: None, "broken": lambda: 1 / 0}

    def clock(work, runs, threads):
        work()
        return 1e-3

    result = bench.measure(bench.Case("work", make), clock=clock)
    assert result.skipped == {"broken": "ZeroDivisionError: division by zero"}
    assert result.ratios == {}
    with pytest.raises(ZeroDivisionError):
        bench.measure(bench.Case("work", lambda device: {"fastgan": lambda: 1 / 0}), clock=clock)


def test_run_leaves_out_what_memory_and_time_do_not_allow():
    shown, skipped = [], {}
    large = case(memory=1 << 60)
    clock = fake_clock({"fastgan": 1e-6, "eager": 3e-6})
    settings = {"show": shown.append, "copies": {1: 8.0}, "skipped": skipped, "clock": clock}
    (result,) = bench.measure_cases([case(), large], "cpu", **settings)
    assert shown == [result]
    assert result.share_of_copy == pytest.approx(1.0)  # 8,000 bytes in a microsecond
    assert "GiB" in skipped["work, 1 threads"]
    assert bench.measure_cases([case()], "cpu", deadline=0.0, **settings) == []
    assert skipped["work, 1 threads"] == "no time left"


def test_copy_bandwidth_counts_reading_and_writing():
    assert _harness.copy_bandwidth("cpu", 1, elements=1000, clock=lambda *_: 1e-6) == pytest.approx(8)


def test_the_real_clock_measures_seconds_and_leaves_the_number_of_threads():
    import time

    before = torch.get_num_threads()
    for runs in (1, 2):
        assert 0.005 <= _harness.time_runs(lambda: time.sleep(0.005), runs, 1)
    assert torch.get_num_threads() == before


def test_launches_are_counted_by_the_runtimes_calls(monkeypatch):
    class Event:
        def __init__(self, name):
            self.name = name

    class Profile:
        def __init__(self, **_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def events(self):
            return [Event(name) for name in ("aten::add", "cudaLaunchKernel", "cuLaunchKernelEx", "cudaMemcpyAsync")]

    monkeypatch.setattr("torch.profiler.profile", Profile)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert _harness.count_launches(lambda: None) == 2


def small(monkeypatch):
    for name in ("MIDDLE", "LARGE"):
        monkeypatch.setattr(_cases, name, 1 << 15)


def test_every_case_with_a_target_runs(monkeypatch):
    small(monkeypatch)
    for each in _cases.target_cases(2, compiled=False):
        for work in each.make("cpu").values():
            work()


def test_every_target_is_a_row():
    promised = {each.name: [target.ratio for target in each.targets] for each in _cases.target_cases(2)}
    assert promised["leaky ReLU + dropout, forward + backward, 4.2 M fp32"] == [25, 40]
    assert promised["D loss, forward + backward, 2 x 57,600 fp32"] == [3, 2.3]
    assert promised["table heads + loss of conditions, forward + backward, 500 x 97 fp32"] == [4]
    assert sum(map(len, promised.values())) == 17  # 18 with AVX2's, which _worker.py brings; bytes saved apart
    on_cuda = _cases.target_cases(1, "cuda")
    assert [each.most_launches for each in on_cuda] == [1] * 6
    assert [target.ratio for target in on_cuda[0].targets] == [0.9, 1.9]


@pytest.mark.parametrize("name", _workloads.WORKLOADS)
@pytest.mark.parametrize("passes", _sweep.PASSES)
def test_every_workload_runs_in_every_implementation(name, passes):
    work = _workloads.WORKLOADS[name]
    for dtype, channels_last in ((torch.float32, True), (torch.bfloat16, False)):
        nbytes = work.bytes(1 << 16, dtype, passes)
        for way in _sweep._implementations(work, passes, 1 << 16, dtype, nbytes, channels_last, False)("cpu").values():
            way()
            way()


@pytest.mark.parametrize("name", _workloads.WORKLOADS)
def test_workloads_do_what_their_eager_peer_does(name):
    """Seeds differ between peers, so dropout is compared by its mean; the rest by value, to float32's 1e-6."""
    torch.manual_seed(0)
    work = _workloads.WORKLOADS[name]
    inputs = work.inputs(1 << 18, torch.float32, "cpu")
    outputs = [layer(*inputs).detach() for layer in (work.fused, work.eager)]
    if "dropout" in name:
        maps = "feature" in name or "2d" in name  # of 1,024 maps each is kept or not: a mean of far fewer draws
        assert outputs[0].abs().mean() == pytest.approx(outputs[1].abs().mean().item(), rel=0.1 if maps else 0.01)
    else:
        torch.testing.assert_close(*outputs, rtol=1e-6, atol=1e-6)


def test_the_in_place_peer_overwrites_its_input_and_has_a_gradient():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = _workloads.WORKLOADS["leaky_relu"].in_place(x)
    assert x.data_ptr() == y.data_ptr()
    y.sum().backward()
    torch.testing.assert_close(x.detach(), torch.tensor([-0.2, 2.0]))
    torch.testing.assert_close(x.grad, torch.tensor([0.2, 1.0]))


def test_the_sweep_varies_one_factor_at_a_time():
    centre = {"pass": "both", "elements": _sweep.CENTRE, "dtype": "fp32", "layout": "contiguous"}
    full = _sweep.sweep_cases(2)
    assert len({(each.name, each.threads) for each in full}) == len(full)
    for each in full:
        changed = {key for key, value in centre.items() if each.labels[key] != value}
        changed |= {"threads"} if each.threads == 1 else set()
        expected = {"centre": set(), "size": {"elements"}}.get(each.labels["varied"], {each.labels["varied"]})
        assert changed == expected
    assert {each.labels["work"] for each in full if each.labels["varied"] == "centre"} == set(_workloads.WORKLOADS)
    assert {each.labels["elements"] for each in full} == {_sweep.CENTRE, *_sweep.SIZES}
    assert {each.labels["dtype"] for each in full} == set(_sweep.DTYPES)
    quick = _sweep.sweep_cases(2, quick=True)
    assert {(each.name, each.threads) for each in quick} <= {(each.name, each.threads) for each in full} | {
        ("discriminator_loss, forward + backward, 8,192 fp32", 2)
    }


def test_bytes_saved():
    saved = _workloads.saved_by("leaky_relu_dropout")
    assert saved["fastgan"] == 0.25
    assert saved["eager"] >= 5


def test_the_copy_moves_the_bytes_of_the_work():
    work = _workloads.WORKLOADS["leaky_relu_dropout"]
    assert work.bytes(10, torch.float32, "both") == 160
    copied = _workloads.copy_of(160, "cpu")()
    assert copied.nbytes == 80  # read once, written once


def test_line_and_json_name_machine_and_results(tmp_path):
    result = measured({"fastgan": 1e-6, "eager": 3e-6}, [bench.Target("eager", 2)])
    bench.write_json(tmp_path / "out.json", "cpu", [result], {"bytes_saved": 0.25})
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["machine"]["torch"] == torch.__version__
    assert {"processor", "vendor", "cores", "fastgan", "commit", "date", "load"} <= set(written["machine"])
    assert written["results"][0]["ratios"]["eager"] == pytest.approx(3)
    assert written["bytes_saved"] == 0.25
    assert "3.00x" in _results.line(result)


def test_a_worker_times_the_instruction_set_it_was_told():
    process = _worker.Worker("default", 4096)  # every machine has it
    try:
        assert process.ready()
        assert 0 < process.time(2, 1) < 1
    finally:
        process.stop()


def test_the_probe_of_dropout_leaves_the_generator_alone():
    from fastgan.bench._host import dropout_is_serial

    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert dropout_is_serial() in (True, False)
    assert torch.equal(torch.rand(2), expected)
