"""Schedules, instance noise, augmentation, packing, penalties, gradient clipping and precision."""

import math

import pytest
import torch
from torch import nn

from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.augment import AUGMENTATIONS, augment, pack


def _trainer(images, **settings):
    return GANTrainer(TrainConfig(**{"batch_size": 8, "dropout": 0.0, **settings}), data=images)


def _rates(trainer):
    return [o.param_groups[0]["lr"] for o in (trainer._update.optimizer_g, trainer._update.optimizer_d)]


@pytest.mark.parametrize(
    ("kind", "factors"),
    [("constant", [1, 1, 1, 1]), ("linear", [1, 0.75, 0.5, 0.25]), ("cosine", [1, 0.853553, 0.5, 0.146447])],
)
def test_learning_rates_follow_their_schedule(images, kind, factors):
    trainer = _trainer(images, lr_schedule=kind, steps=4, lr_g=1e-3, lr_d=2e-3)
    for factor in factors:
        trainer.step()
        assert _rates(trainer) == pytest.approx([1e-3 * factor, 2e-3 * factor], rel=1e-5)


def test_a_warm_up_rises_to_the_full_rate(images):
    trainer = _trainer(images, warmup_steps=3, lr_g=3e-3, lr_d=3e-3)
    for expected in (1e-3, 2e-3, 3e-3, 3e-3):
        trainer.step()
        assert _rates(trainer) == pytest.approx([expected, expected])


def test_the_penalties_weights_fall_with_gamma_schedule(images):
    trainer = _trainer(images, r1_gamma=2.0, r2_gamma=1.0, gamma_schedule="linear", steps=4)
    seen = []
    for _ in range(4):
        trainer.step()
        seen.append((trainer._update.schedules.r1.item(), trainer._update.schedules.r2.item()))
    assert seen == [(2.0, 1.0), (1.5, 0.75), (1.0, 0.5), (0.5, 0.25)]


def test_r2_is_the_penalty_at_generated_samples(images):
    losses = {}
    for gamma in (0.0, 3.0):
        trainer = _trainer(images, r2_gamma=gamma)
        fake = trainer.generator(trainer._latents(8, _copy(trainer._noise))).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(trainer.discriminator(fake).sum(), fake)
        trainer.step()
        losses[gamma] = trainer.statistics()["loss_d"]
    expected = 3.0 / 2 * gradient.flatten(1).square().sum(1).mean().item()
    assert losses[3.0] - losses[0.0] == pytest.approx(expected, rel=1e-4)


def _copy(generator):
    return torch.Generator().set_state(generator.get_state())


def test_clipping_bounds_the_gradients_norm(images):
    trainer = _trainer(images, grad_clip=1e-3)
    trainer.step()
    for network in (trainer.generator, trainer.discriminator):
        norm = math.sqrt(sum(p.grad.square().sum().item() for p in network.parameters()))
        assert norm == pytest.approx(1e-3, rel=1e-3)  # far larger without clipping


def test_weight_penalties_are_added_to_both_losses(images):
    plain, decayed = (_trainer(images, l1=l1, l2=l2) for l1, l2 in ((0.0, 0.0), (0.01, 0.1)))
    added = []
    for network in (plain.discriminator, plain.generator):
        weights = torch.cat([p.detach().flatten() for p in network.parameters()])
        added.append(0.01 * weights.abs().sum().item() + 0.1 / 2 * weights.square().sum().item())
    plain.step()
    decayed.step()
    a, b = plain.statistics(), decayed.statistics()
    assert b["loss_d"] - a["loss_d"] == pytest.approx(added[0], rel=1e-3)
    # G's loss is computed after D's first update, which the penalty changes a little.
    assert b["loss_g"] - a["loss_g"] == pytest.approx(added[1], rel=0.05)


def test_more_generator_steps_update_the_generator_more_often(images):
    trainer = _trainer(images, g_steps=3)
    trainer.step()
    steps = [
        o.state_dict()["state"][0]["step"].item() for o in (trainer._update.optimizer_g, trainer._update.optimizer_d)
    ]
    assert steps == [3, 1]


class _Recorder(nn.Module):
    """A linear D that keeps its inputs."""

    def __init__(self, features):
        super().__init__()
        self.linear, self.seen = nn.Linear(features, 1), []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.linear(x.flatten(1))


def test_packing_joins_samples_along_the_channels(images):
    recorder = _Recorder(2 * 16)
    trainer = GANTrainer(TrainConfig(batch_size=8, pack=2), None, recorder, images)
    real = trainer._batches[0][0]
    recorder.seen.clear()
    trainer.step()
    assert recorder.seen[0].shape == (8, 2, 4, 4)  # 4 packs of real samples, 4 of generated ones
    assert torch.equal(recorder.seen[0][:4], torch.stack([real[0::2, 0], real[1::2, 0]], 1))


def test_packing_keeps_a_packs_samples_in_order():
    x = torch.arange(12.0).reshape(6, 1, 2)
    assert torch.equal(pack(x, 3), x.reshape(2, 3, 2))


def test_the_recipes_discriminator_takes_packs(images):
    _trainer(images, pack=4).step()
    with pytest.raises(ValueError, match="`pack` to be a divisor of the batch size 8, got 3"):
        TrainConfig(batch_size=8, pack=3)


def test_instance_noise_falls_to_zero(images):
    recorder = _Recorder(16)
    trainer = GANTrainer(TrainConfig(batch_size=8, instance_noise=0.4, steps=50), None, recorder, images)
    spread = []
    for step in range(50):
        real = trainer._batches[step][0]
        recorder.seen.clear()
        trainer.step()
        spread.append((recorder.seen[0][:8] - real).std().item())
    # The standard deviation of 128 draws has an error of 6%.
    assert spread[0] == pytest.approx(0.4, rel=0.25)
    assert spread[25] == pytest.approx(0.2, rel=0.25)
    assert spread[-1] < 0.02


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_changes_images_and_lets_gradients_through(name):
    torch.manual_seed(0)
    images = torch.rand(64, 3, 16, 16, requires_grad=True)
    changed = augment(images, name)
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    changed.sum().backward()
    assert images.grad.abs().sum() > 0


def test_translation_moves_every_channel_alike_and_fills_with_zeros():
    torch.manual_seed(1)
    place = torch.arange(1.0, 257).reshape(1, 1, 16, 16).expand(200, 2, 16, 16)
    moved = augment(place, "translation")
    assert torch.equal(moved[:, 0], moved[:, 1])
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    shifts = set()
    for image in moved[:, 0]:
        inside = image > 0
        source = image[inside].long() - 1
        down = (torch.div(source, 16, rounding_mode="floor") - rows[inside]).unique()
        right = (source % 16 - columns[inside]).unique()
        assert len(down) == len(right) == 1
        shifts.add((down.item(), right.item()))
        assert inside.sum() == (16 - abs(down)) * (16 - abs(right))
    assert shifts == {(a, b) for a in range(-2, 3) for b in range(-2, 3)}  # all 25, in 200 draws


def test_cutout_clears_at_most_a_quarter_and_always_something():
    torch.manual_seed(2)
    cleared = (augment(torch.ones(500, 1, 16, 16), "cutout") == 0).flatten(1).sum(1)
    assert cleared.max() == 64
    assert cleared.min() == 16


def test_the_color_augmentations_brightness_is_uniform_in_its_range():
    torch.manual_seed(3)
    images = torch.zeros(1000, 3, 4, 4)  # for constant images only brightness has an effect
    shift = augment(images, "color")[:, 0, 0, 0]
    assert shift.abs().max() <= 0.5
    assert shift.std().item() == pytest.approx(math.sqrt(1 / 12), rel=0.1)


def test_unknown_augmentations_and_augmented_points_are_refused():
    with pytest.raises(ValueError, match=r"`augment` to be names among color, translation, cutout.*got 'blur'"):
        TrainConfig(augment="blur")
    with pytest.raises(ValueError, match=r"expected images \(C, H, W\) for `augment`, got samples \(2,\)"):
        GANTrainer(TrainConfig(batch_size=8, augment="color"), data=torch.rand(20, 2))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bit_precision_trains_float32_weights(images, precision):
    trainer = _trainer(images, precision=precision, lr_g=1e-3, lr_d=1e-3)
    start = [p.detach().clone() for p in trainer.generator.parameters()]
    for _ in range(5):
        trainer.step()
    assert all(p.dtype == torch.float32 for p in trainer.generator.parameters())
    assert any(not torch.equal(p, q) for p, q in zip(trainer.generator.parameters(), start, strict=True))
    assert all(math.isfinite(value) for value in trainer.statistics().values())


def test_bf16_follows_fp32_to_its_precision(images):
    exact, half = _trainer(images), _trainer(images, precision="bf16")
    for trainer in (exact, half):
        trainer.step()
    a, b = exact.statistics(), half.statistics()
    # bfloat16 has 8 significant bits, so one rounding is 0.4%, and there are several in a row.
    assert all(b[name] == pytest.approx(a[name], rel=0.03, abs=0.01) for name in ("loss_d", "loss_g", "p_real"))
    assert a["loss_d"] != b["loss_d"]


def test_fp16_skips_a_step_with_infinite_gradients_and_lowers_its_scale(images):
    trainer = _trainer(images, precision="fp16")
    scaler = trainer._update.scaler_d._scaler
    scaler._lazy_init_scale_growth_tracker(torch.device("cpu"))
    scaler._scale.fill_(1e38)
    before = [p.detach().clone() for p in trainer.discriminator.parameters()]
    trainer.step()
    assert all(torch.equal(p, q) for p, q in zip(trainer.discriminator.parameters(), before, strict=True))
    assert scaler.get_scale() < 1e38


def test_fp16_resumes_with_its_scale(images):
    trainer = _trainer(images, precision="fp16")
    trainer._update.scaler_g._scaler._growth_interval = 2
    for _ in range(4):
        trainer.step()
    state = trainer.state_dict()
    again = _trainer(images, precision="fp16")
    again.load_state_dict(state)
    assert again._update.scaler_g.state_dict() == trainer._update.scaler_g.state_dict()
    assert again._update.scaler_g._scaler.get_scale() > again._update.scaler_d._scaler.get_scale()


def test_a_compiled_step_follows_an_eager_one(images):
    settings = {"latent_dim": 6, "lr_g": 1e-3, "lr_d": 1e-3}
    eager, compiled = _trainer(images, **settings), _trainer(images, compile=True, **settings)
    for trainer in (eager, compiled):
        for _ in range(3):
            trainer.step()
    assert compiled.statistics() == pytest.approx(eager.statistics(), rel=1e-4, abs=1e-5)
