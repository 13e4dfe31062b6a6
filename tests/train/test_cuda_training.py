"""Training on a GPU: CUDA graphs, 16-bit precision, and data that does not fit on the GPU."""

import copy

import pytest
import torch

from fastgan.data import Data, source
from fastgan.train import GANTrainer, TrainConfig

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def _images(count=64, channels=1, side=8):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(5)) * 2 - 1


def _trainer(**settings):
    settings = {"batch_size": 16, "device": "cuda", "precision": "fp32", **settings}
    return GANTrainer(TrainConfig(**settings), data=_images())


def _weights(trainer):
    return [p.detach().clone() for p in (*trainer.generator.parameters(), *trainer.discriminator.parameters())]


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.0},
        {"dropout": 0.3},
        {"recipe": "wgan", "batch_size": 16},
        {"recipe": "wgan-gp", "batch_size": 16},
        {"r1_gamma": 0.1, "r1_interval": 3},
        {"conditional": True},
        {"lr_schedule": "cosine", "warmup_steps": 2, "steps": 12, "instance_noise": 0.1},
        {"beta2_start": 0.9, "betas": (0.0, 0.99), "steps": 48},  # a stair lasts six steps
    ],
    ids=lambda settings: "-".join(settings),
)
def test_cuda_graph_follows_the_eager_step(settings):
    data = _images()
    if settings.get("conditional"):
        data = Data(data, torch.arange(len(data)) % 3)
    ends = []
    for graph in ("off", "on"):
        config = TrainConfig(
            **{"batch_size": 16, "device": "cuda", "precision": "fp32", "cuda_graph": graph, **settings}
        )
        trainer = GANTrainer(config, data=data)
        for _ in range(12):
            trainer.step()
        ends.append((_weights(trainer), trainer.statistics()))
    # Both run the same kernels on the same numbers; random ones are the same, too, as a replay advances the generator
    # as a call does. Only if cuBLAS or cuDNN chooses another algorithm do results differ, by rounding.
    for a, b in zip(ends[0][0], ends[1][0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert ends[1][1] == pytest.approx(ends[0][1], rel=1e-2, abs=1e-3)


def test_cuda_graph_replays_draw_new_masks():
    trainer = _trainer(cuda_graph="on", lr_g=1e-30, lr_d=1e-30, dropout=0.5)
    losses = []
    latents, real = trainer._latents(16, trainer._noise), trainer._batches[0]
    for _ in range(8):
        trainer._update([real], [latents])
        losses.append(trainer.statistics()["loss_d"])
    assert len(set(losses)) == 8  # weights and inputs stay the same, so only the masks can differ


def test_cuda_graph_resumes():
    trainer = _trainer(cuda_graph="on")
    for _ in range(6):
        trainer.step()
    state = copy.deepcopy(trainer.state_dict())
    again = _trainer(cuda_graph="on")
    again.load_state_dict(state)
    for _ in range(6):
        trainer.step()
    torch.cuda.set_rng_state(state["random"]["cuda"][0])
    for _ in range(6):
        again.step()
    for a, b in zip(_weights(trainer), _weights(again), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_cuda_graph_is_captured_again_after_a_state_is_loaded():
    trainer = _trainer(cuda_graph="on")
    state = copy.deepcopy(trainer.state_dict())
    ends = []
    for _ in range(2):  # the second time there is a captured graph already
        trainer.load_state_dict(copy.deepcopy(state))
        for _ in range(8):
            trainer.step()
        ends.append((_weights(trainer), trainer.statistics()))
    for a, b in zip(ends[0][0], ends[1][0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert ends[1][1] == pytest.approx(ends[0][1], rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_cuda_16_bit_precision_trains_a_dcgan(precision):
    config = TrainConfig(recipe="dcgan", batch_size=16, device="cuda", precision=precision)
    trainer = GANTrainer(config, data=_images(64, 3, 32))
    start = _weights(trainer)
    for _ in range(6):
        trainer.step()
    assert any(not torch.equal(a, b) for a, b in zip(_weights(trainer), start, strict=True))
    assert trainer._update.is_finite()


def test_cuda_compiled_step_follows_the_eager_one():
    ends = []
    for compiled in (False, True):
        trainer = _trainer(dropout=0.0, compile=compiled, cuda_graph="off", lr_g=1e-3, lr_d=1e-3)
        for _ in range(3):
            trainer.step()
        ends.append(trainer.statistics())
    assert ends[1] == pytest.approx(ends[0], rel=1e-3, abs=1e-4)


def test_cuda_data_that_does_not_fit_comes_from_pinned_memory(monkeypatch):
    monkeypatch.setattr(source, "_fits", lambda count, device: False)
    staged = _trainer(dropout=0.0)
    assert not staged._batches.resident
    assert not staged._batches.source.samples.is_cuda
    monkeypatch.undo()
    resident = _trainer(dropout=0.0)
    for number in (0, 1, 2, 7, 3):
        assert torch.equal(staged._batches[number][0], resident._batches[number][0])


def test_cuda_data_that_is_on_the_gpu_stays_there(monkeypatch):
    data = Data(_images().cuda(), torch.arange(64, device="cuda") % 2)
    monkeypatch.setattr(source, "_fits", lambda count, device: False)
    trainer = GANTrainer(TrainConfig(batch_size=16, device="cuda", precision="fp32", conditional=True), data=data)
    assert trainer._batches.resident
    trainer.step()
    first, second = data.split(0.25)
    assert (len(first.samples), second.labels.bincount().tolist()) == (48, [8, 8])


@pytest.mark.parametrize("settings", [{}, {"flip": True}], ids=lambda settings: "-".join(settings))
def test_cuda_batches_do_not_wait_for_the_device(settings):
    trainer = _trainer(**settings)
    before = trainer._batches[0]  # the first batch allocates pinned memory, which waits
    torch.cuda.set_sync_debug_mode("error")
    try:
        again = trainer._batches[0]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(before[0], again[0])


def test_cuda_precision_auto_is_bf16_for_images_where_the_gpu_has_it():
    expected = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    assert _trainer(precision="auto")._update.precision == expected
