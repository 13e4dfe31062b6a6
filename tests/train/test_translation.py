"""Image to image by the one trainer: what its batches hold, exact resume, what G and D are given, grids and alarms."""

import math
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from fastgan.data import Data
from fastgan.train import GANTrainer, TrainConfig, TrainingInterrupted, load_run
from fastgan.train.alarms import SampleAlarms
from fastgan.train.batches import Batches
from fastgan.train.setup import as_data
from fastgan.train.step import GANStep

SHORT = {"recipe": "pix2pix", "batch_size": 2, "steps": 4, "threads": 1, "sample_every": 2, "log_every": 1}


def _images(count=12, channels=3, side=32):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def folder(tmp_path):
    """Twenty images of 32 pixels, each of one colour with a square of another."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i in range(20):
        pixels = np.full((32, 32, 3), rng.integers(0, 256, 3), np.uint8)
        pixels[8:24, 8:24] = rng.integers(0, 256, 3)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{i}.png")
    return tmp_path / "images"


def _weights(run):
    return {name: x.numpy().tobytes() for name, x in load_file(run / "weights.safetensors").items()}


def test_a_flip_mirrors_both_sides_of_a_pair():
    x = _images(40, 1, 8)
    batches = Batches(Data.pairs(-x, x), 20, seed=0, flip=True)
    samples, inputs = batches[0]
    assert torch.equal(samples, -inputs)
    originals = x[batches.order[0]]
    flipped = (samples == originals.flip(3)).flatten(1).all(1)
    assert 0 < flipped.sum() < 20
    assert torch.equal(samples, torch.where(flipped[:, None, None, None], originals.flip(3), originals))


def test_the_holes_of_a_batch_are_a_function_of_the_seed_and_its_number():
    data = Data(_images(40)).with_inputs("mask")
    one, again = (Batches(data, 4, seed=3) for _ in range(2))
    again[0], again[5]  # in another order
    for ours, theirs in zip(one[7], again[7], strict=True):
        assert torch.equal(ours, theirs)
    holes = [batch[1][:, 3] for batch in (one[7], one[17], Batches(data, 4, seed=4)[7])]  # 10 batches an epoch
    assert not torch.equal(holes[0], holes[1])
    assert not torch.equal(holes[0], holes[2])
    assert not torch.equal(holes[0][0], holes[0][1])


@pytest.mark.parametrize("kind", ["grey", "mask"])
def test_an_interrupted_run_ends_in_the_same_weights(folder, tmp_path, kind):
    def settings(name, **more):
        return TrainConfig(**{**SHORT, "data": f"folder:{folder}", "from_": kind, "flip": True}, **more, out=name)

    whole = GANTrainer(settings(str(tmp_path / "whole"))).fit()
    trainer = GANTrainer(settings(str(tmp_path / "run")))
    step = trainer.step

    def step_then_signal():
        step()
        if trainer.global_step == 3:
            signal.raise_signal(signal.SIGINT)

    trainer.step = step_then_signal
    with pytest.raises(TrainingInterrupted):
        trainer.fit()
    resumed = GANTrainer(settings(str(tmp_path / "run"), resume=True)).fit()
    assert _weights(resumed) == _weights(whole)
    pictures = [(run / "samples" / "step-000000004.png").read_bytes() for run in (whole, resumed)]
    assert pictures[0] == pictures[1]


def test_another_kind_of_input_does_not_resume(folder, tmp_path):
    settings = {**SHORT, "data": f"folder:{folder}", "steps": 1, "out": str(tmp_path / "run")}
    GANTrainer(TrainConfig(**settings, from_="half")).fit()
    with pytest.raises(ValueError, match="`from_` to be 'half', as in the checkpoint, got 'downscale'"):
        GANTrainer(TrainConfig(**{**settings, "resume": True, "steps": 2}, from_="downscale")).fit()


def test_a_grid_shows_input_translation_and_target_of_images_that_are_held_out(folder, tmp_path):
    config = TrainConfig(**SHORT, data=f"folder:{folder}", from_="grey", out=str(tmp_path / "run"))
    trainer = GANTrainer(config)
    assert (len(trainer.data), len(trainer.held_out)) == (18, 2)
    run = load_run(trainer.fit())
    picture = np.asarray(Image.open(run.path / "samples" / "step-000000004.png"))
    targets, inputs = trainer.held_out.pair_batch(torch.arange(2))
    assert picture.shape == (34, 2 * (3 * 32 + 2), 3)
    for i in range(2):
        cell = picture[1:-1, 98 * i + 1 : 98 * (i + 1) - 1] / 127.5 - 1
        grey, made, target = np.split(cell, 3, axis=1)
        np.testing.assert_allclose(target, targets[i].permute(1, 2, 0), atol=0.005)
        np.testing.assert_allclose(grey, inputs[i].expand(3, -1, -1).permute(1, 2, 0), atol=0.005)
        assert not np.allclose(made, target, atol=0.05)


def test_g_gets_the_input_and_d_the_sample_with_it():
    seen = []

    class G(torch.nn.Conv2d):
        def forward(self, inputs):
            seen.append(("G", inputs))
            return torch.tanh(super().forward(inputs))

    class D(torch.nn.Conv2d):
        def forward(self, samples, inputs):
            seen.append(("D", samples, inputs))
            return super().forward(torch.cat((samples, inputs), 1))

    config = TrainConfig(**{**SHORT, "batch_size": 4}, convert=False)
    trainer = GANTrainer(config, G(1, 3, 1), D(4, 1, 1), data=Data(_images()).with_inputs("grey"))
    seen.clear()
    real, inputs = trainer._batches[0]
    trainer.step()
    (_, of_g), (_, both, of_d), (_, fake, of_last) = seen
    assert torch.equal(of_g, inputs)
    assert torch.equal(both[:4], real)
    assert torch.equal(both[4:], fake)
    assert torch.equal(of_d, torch.cat((inputs, inputs)))
    assert torch.equal(of_last, inputs)


def test_the_reconstruction_loss_is_its_weight_times_the_mean_absolute_difference():
    batch = _images(4), _images(4).mean(1, keepdim=True)
    losses = []
    for weight in (0.0, 7.0):
        torch.manual_seed(0)
        generator, discriminator = torch.nn.Conv2d(1, 3, 1), torch.nn.Conv2d(4, 1, 1)
        discriminator.forward = lambda x, y, d=discriminator: torch.nn.Conv2d.forward(d, torch.cat((x, y), 1))
        made = generator(batch[1]).detach()
        step = GANStep(TrainConfig(**SHORT, reconstruction=weight), generator, discriminator)
        step([batch], [torch.zeros(4, 1)])
        losses.append(step.read_statistics()["loss_g"])
    assert losses[1] - losses[0] == pytest.approx(7 * float((made - batch[0]).abs().mean()), rel=1e-4)


def test_a_short_run_halves_the_difference_from_the_targets():
    torch.set_num_threads(1)
    x = torch.nn.functional.interpolate(torch.rand(32, 1, 4, 4) * 1.6 - 0.8, scale_factor=8.0)  # squares of grey
    data = Data.pairs(x, torch.cat((x, -x, x * 0), 1))
    trainer = GANTrainer(TrainConfig(**{**SHORT, "batch_size": 8}, ema_decay=0.8, dropout=0.1), data=data)
    targets, inputs = data.pair_batch(torch.arange(32))

    def difference():
        with torch.no_grad():
            return float((trainer.ema(inputs) - targets).abs().mean())

    before = difference()
    for _ in range(40):
        trainer.step()
    assert difference() < 0.5 * before


def test_a_translation_near_its_target_is_no_memorisation_but_a_constant_one_is_a_collapse():
    data = Data(_images()).with_inputs("grey")
    alarms = SampleAlarms(data, TrainConfig(ema_decay=0.5))
    assert [alarms(step, data.samples) for step in (10, 20)] == [[], []]
    grey = torch.zeros_like(data.samples)
    assert [[a.name for a in alarms(step, grey)] for step in (30, 40)] == [[], ["collapsed"]]


def test_fid_during_the_training_is_of_translations(folder, tmp_path):
    for i in range(130):  # more than there are features in the half that is the reference
        Image.open(folder / f"{i % 20}.png").rotate(90 * (i // 40)).save(folder / f"more-{i}.png")
    settings = {**SHORT, "steps": 2, "holdout": 0.5, "eval_every": 1}
    out = GANTrainer(TrainConfig(**settings, data=f"folder:{folder}", from_="mask", out=str(tmp_path / "run"))).fit()
    assert (out / "best.safetensors").is_file()
    assert load_run(out, best=True).input_shape == (4, 32, 32)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"conditional": True}, "expected `conditional` to be False for data with inputs, got True"),
        ({"pack": 2}, "expected `pack` to be 1 for data with inputs, got 2"),
        ({"augment": "color"}, "expected `augment` to be '' for data with inputs, got 'color'"),
        ({"balance": "weights"}, "expected `balance` to be none or sampler for data with inputs"),
    ],
)
def test_settings_that_do_not_go_with_inputs_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        as_data(Data(_images(), [0, 1] * 6), TrainConfig(**SHORT, **settings, from_="grey"))


def test_pix2pix_without_inputs_is_refused_with_what_gives_them():
    with pytest.raises(ValueError, match=r"expected data with inputs for `reconstruction`, pairs:PATH or .*`from_`"):
        GANTrainer(TrainConfig(**SHORT), data=_images())
    with pytest.raises(ValueError, match=r"as of pairs:PATH or made by --from, got data without inputs"):
        GANTrainer(TrainConfig(**SHORT, reconstruction=0.0), data=_images())


@pytest.mark.parametrize("part", ["generator", "discriminator"])
def test_networks_that_do_not_take_inputs_are_named(part):
    own = {part: torch.nn.Linear(7, 7)}
    message = r"take inputs \[2, 1, 32, 32\]" if part == "generator" else r"and inputs \[2, 1, 32, 32\], as the run"
    with pytest.raises(ValueError, match=f"expected the {part} to .*{message}"):
        GANTrainer(TrainConfig(**SHORT, from_="grey"), **own, data=_images())


def test_a_run_translates_from_python_and_refuses_what_it_cannot(folder, tmp_path):
    config = TrainConfig(**{**SHORT, "steps": 1}, data=f"folder:{folder}", from_="grey", out=str(tmp_path / "run"))
    run = load_run(GANTrainer(config).fit())
    images = torch.rand(3, 1, 32, 64) * 2 - 1  # of another size than the training's
    made = run.translate(images, seed=1)
    assert made.shape == (3, 3, 32, 64)
    assert torch.equal(run.translate(images[2:], seed=1), made[2:])  # whatever is beside it
    assert not torch.equal(run.translate(images, seed=2), made)
    with pytest.raises(ValueError, match="got 60 x 40; the nearest that works is 64 x 32"):
        run.translate(torch.zeros(1, 1, 40, 60))
    with pytest.raises(ValueError, match=r"expected images \(N, 1, H, W\), got \(1, 3, 32, 32\)"):
        run.translate(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"sample: expected a run that draws samples .* fastgan translate takes it"):
        run.sample(3, seed=0)
    latents = load_run(GANTrainer(TrainConfig(steps=0, out=str(tmp_path / "of-latents"))).fit())
    with pytest.raises(ValueError, match=r"translate: expected a run that translates images, got .*of-latents"):
        latents.translate(images)
    assert math.isfinite(float(made.sum()))
