"""benchmarks/gpu_figures.py: which cases, in which order, and that a run that is cut short keeps what it has."""

import json
from dataclasses import replace

import pytest

from bench_scripts import script

figures = script("gpu_figures")


def test_the_cases_are_what_a_gpu_is_asked_first():
    names = [case.name for case in figures.op_cases()]
    wanted = [
        f"leaky_relu_dropout, {passes}, {size} {dtype}"
        for size in ("4.2 M", "33.6 M", "268.4 M")
        for dtype in ("fp32", "bf16")
        for passes in ("forward", "backward")
    ]
    wanted += [
        f"{loss}, {each}, 33.6 M fp32"
        for loss in ("discriminator_loss", "bce_with_logits")
        for each in ("forward", "backward")
    ]
    wanted += [f"table heads + loss of conditions, forward + backward, {rows} x 97 fp32" for rows in ("500", "16,384")]
    assert set(wanted) <= set(names)
    assert all("268.4 M" in name for name in names[:4])
    steps = [case.name for case in figures.step_cases()]
    wanted = [("MLP", "fp32"), ("DCGAN-64", "bf16")]
    wanted += 2 * [("recipe", "1 x 28 x 28"), ("recipe", "3 x 64 x 64")]  # r3gan, rpgan
    wanted += [("MLP", "bf16"), ("DCGAN-64", "fp32")]
    assert [(name.split()[0].strip(","), name.rsplit(", ", 1)[1]) for name in steps] == wanted


def test_a_case_of_the_ops_has_its_peers():
    case = next(
        case for case in figures.op_cases((256, 256, 256), 256) if case.name.startswith("leaky_relu_dropout, b")
    )
    assert set(case.make("cpu")) == {"fastgan", "eager", "torch.compile", "copy"}


def test_a_case_of_the_steps_has_both_loops_and_the_trainer_with_and_without_a_graph():
    small = replace(figures._steps.MLP, batch_size=2)
    case = figures.step_cases([small])[-1]
    works = case.make("cpu")
    assert list(works) == ["fastgan", "fastgan without a graph", "plain loop", "compiled loop"]
    settings = [works[name].__self__.config for name in list(works)[:2]]
    assert [each.cuda_graph for each in settings] == ["auto", "off"]
    assert {each.precision for each in settings} == {"bf16"}


def test_a_recipe_is_timed_with_and_without_a_graph():
    works = figures._recipe_case("r3gan", (1, 8, 8)).make("cpu")
    trainers = [work.__self__ for work in works.values()]
    assert list(works) == ["fastgan", "fastgan without a graph"]
    assert [trainer.config.cuda_graph for trainer in trainers] == ["auto", "off"]
    assert {(trainer.config.recipe, trainer.size.sample_shape) for trainer in trainers} == {("r3gan", (1, 8, 8))}


def test_results_are_written_after_each_case(tmp_path, capsys):
    path = tmp_path / "x.json"
    seen = []

    def case(name, fails=False):
        def make(device):
            if path.exists():
                seen.append(len(json.loads(path.read_text())["results"]))
            if fails:
                raise KeyboardInterrupt
            return {"fastgan": lambda: None, "copy": lambda: None}

        return figures.bench.Case(name, make, 1, 8)

    pace = {"device": "cpu", "rounds": 3, "seconds": 1e-5, "copied": 1 << 10}
    with pytest.raises(KeyboardInterrupt):
        figures.run([case("a"), case("b"), case("c", fails=True)], path, 60, **pace)
    assert seen == [0, 1, 2]
    written = json.loads(path.read_text())
    assert [result["name"] for result in written["results"]] == ["a", "b"]
    assert all(result["share_of_copy"] > 0 for result in written["results"])
    assert written["copy_gigabytes_per_second"] > 0


def test_cases_that_would_begin_too_late_are_named(tmp_path):
    case = figures.bench.Case("late", lambda device: {"fastgan": lambda: None}, 1)
    figures.run([case], tmp_path / "x.json", -1, device="cpu", copied=1 << 10)
    written = json.loads((tmp_path / "x.json").read_text())
    assert (written["results"], written["skipped"]) == ([], {"late, 1 threads": "no time left"})


def test_without_a_gpu_it_ends_with_one_line_and_writes_no_figure(monkeypatch, tmp_path):
    monkeypatch.setattr(figures.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu_figures.py", "ops", "--seconds", "1", "--json", str(tmp_path / "ops.json")])
    with pytest.raises(SystemExit, match="expected a GPU, got none"):
        figures.main()
    assert list(tmp_path.iterdir()) == []
