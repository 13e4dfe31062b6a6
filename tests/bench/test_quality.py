"""What benchmarks/quality.py prints and keeps."""

import json

import pytest

from bench_scripts import ROOT, script

pytest.importorskip("sklearn")
GOOD = {"modes": 8, "high_quality": 0.98, "reverse_kl": 0.002, "spread_low": 0.8, "spread_high": 1.0}
GOOD |= {"steps": 20_000, "seconds": 100.0}


@pytest.fixture
def quality(monkeypatch):
    module = script("quality")
    monkeypatch.setattr(module, "SAMPLES", 500)
    return module


def test_a_short_run_fails_its_targets_and_is_not_trained_twice(quality, tmp_path, monkeypatch, capsys):
    arguments = ["--data", "ring", "--seeds", "2", "--paper-seeds", "1", "--steps", "3", "--paper-steps", "2"]
    monkeypatch.setattr("sys.argv", ["quality.py", *arguments, "--json", str(tmp_path / "q.json")])
    with pytest.raises(SystemExit) as stop:
        quality.main()
    assert stop.value.code == 1
    said = capsys.readouterr().out
    assert "| PacGAN2 (Lin et al.) | 7.9 | 95.6 | 0.07 |" in said
    assert "| `--recipe mixture`, 2 seeds |" in said
    assert "| paper's G, batch and optimizer, 1 seeds |" in said
    assert "FAIL  ring: mean share of good samples at least 97%" in said
    runs = json.loads((tmp_path / "q.json").read_text())["runs"]
    assert {name: sorted(rows) for name, rows in runs.items()} == {
        "ring recipe mixture": ["0", "1"],
        "ring paper's G": ["0"],
    }
    assert all("commit" in run for rows in runs.values() for run in rows.values())
    monkeypatch.setattr(quality, "run_mixture", lambda *_: pytest.fail("trained again"))
    with pytest.raises(SystemExit):
        quality.main()
    again = capsys.readouterr().out
    assert said == again


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, None),
        ({"modes": 7}, "ring: every seed has all 8 modes"),
        ({"high_quality": 0.95}, "ring: every seed within 2 points of the mean"),
        ({"reverse_kl": 0.05}, "ring: mean reverse KL at most 0.01"),
        ({"spread_low": 0.69}, "ring: deviations in every mode 0.7 to 1.15 sigma"),
        ({"spread_high": 1.16}, "ring: deviations in every mode 0.7 to 1.15 sigma"),
        ({"steps": 20_001}, "ring: at most 20,000 updates"),
        ({"seconds": 180.0}, "ring: every run under 3 minutes"),
    ],
)
def test_one_seed_that_misses_a_target_is_enough(quality, change, missed):
    verdicts = quality.check("ring", [GOOD, GOOD, {**GOOD, **change}])
    assert [name for name, held in verdicts.items() if not held] == ([missed] if missed else [])


def test_the_error_of_a_mean_is_its_standard_error(quality):
    runs = [{"x": v} for v in (1.0, 2.0, 4.0)]
    assert quality.mean(runs, "x") == pytest.approx(7 / 3)
    assert quality.error(runs, "x") == pytest.approx((7 / 3) ** 0.5 / 3**0.5)


def test_another_file_is_refused(quality, tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"expected --json to be new or a file of this script, got .*other\.json"):
        quality.Results(tmp_path / "other.json", {})


def test_runs_of_other_lengths_do_not_mix(quality, tmp_path):
    """A try with few steps neither counts among the runs of a file nor is continued by longer ones."""
    path = tmp_path / "q.json"
    path.write_text(json.dumps({"runs": {"ring recipe mixture": {"0": GOOD, "1": {**GOOD, "steps": 300}}}}))
    said = r"of runs of 20,000 steps, got .*q\.json, whose ring recipe mixture seed 1 took 300$"
    with pytest.raises(ValueError, match=said):
        quality.Results(path, {"ring recipe mixture": 20_000})
    quality.Results(path, {"digits": 300})


def test_the_shipped_runs_are_of_the_recipes_lengths_and_no_default(quality, tmp_path, monkeypatch):
    shipped = ROOT / "benchmarks" / "results" / "quality.json"
    steps = {recipe: quality.TrainConfig(recipe=recipe).steps for recipe in ("mixture", "conditional")}
    asked = {f"{name} recipe mixture": steps["mixture"] for name in quality.MIXTURES}
    assert quality.Results(shipped, asked | {"digits": steps["conditional"]}).content["runs"]
    names = ("tstr", "tstr_real", "weakest_class", "memory_z", "memory_median_ratio")
    made = {"steps": steps["conditional"], "seconds": 1.0, **dict.fromkeys(names, 1.0)}
    monkeypatch.setattr(quality, "run_digits", lambda *_: (made, None))
    monkeypatch.setattr("sys.argv", ["quality.py", "--data", "digits", "--digits-seeds", "1"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        quality.main()
    assert stop.value.code == 0
    written = json.loads((tmp_path / "quality.json").read_text())["runs"]["digits"]["0"]
    assert {name: written[name] for name in made} == made
