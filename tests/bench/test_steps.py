"""What benchmarks/step.py measures: a fair plain loop, the targets, the cost model."""

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench_scripts import script
from fastgan import nn as fnn

_scaling = script("_scaling")
_steps = _scaling._steps
_translation = _steps._translation


def _layers(network):
    return [type(m) for m in network.modules() if not isinstance(m, nn.Sequential)]


@pytest.mark.parametrize("problem", [_steps.MLP, _steps.DCGAN_32, _steps.DCGAN_64], ids=lambda p: p.name)
def test_the_plain_loop_gets_torchs_own_layers_and_the_trainer_the_same_networks(problem):
    plain, given = problem.networks(), problem.networks()
    assert not any(layer.__module__.startswith("fastgan") for network in plain for layer in _layers(network))
    small = replace(problem, batch_size=2, networks=lambda: given)
    trainer = _steps.fast_step(small, "cpu").__self__
    assert trainer.discriminator is given[1]
    assert fnn.LeakyReLUDropout in _layers(trainer.discriminator)
    shapes = [[p.shape for p in network.parameters()] for network in plain]
    assert shapes == [[p.shape for p in n.parameters()] for n in (trainer.generator, trainer.discriminator)]


def test_the_plain_loop_is_a_textbook_update():
    problem = replace(_steps.MLP, batch_size=4)
    loop = _steps.PlainLoop(problem, "cpu")
    generator, discriminator = copy.deepcopy(loop._generator).eval(), copy.deepcopy(loop._discriminator).eval()
    loop._generator.eval()
    loop._discriminator.eval()  # no dropout, so that both see the same
    torch.manual_seed(1)
    loop()
    torch.manual_seed(1)
    real = loop._samples[torch.randint(len(loop._samples), (4,))]
    fake = generator(torch.randn(4, _steps.LATENT_DIM))
    for logits, target in ((discriminator(real), 1.0), (discriminator(fake.detach()), 0.0)):
        F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target)).backward()
    optimizer = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    optimizer.step()
    for p, q in zip(loop._discriminator.parameters(), discriminator.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_the_row_of_pix2pix_has_fused_layers_before_and_after_and_a_textbook_update():
    works = _translation.case(1).make("cpu")
    before, after = (works[name].__self__ for name in ("torch.nn's layers", "fastgan"))
    for network in ("generator", "discriminator"):
        plain, fused = (_layers(getattr(trainer, network)) for trainer in (before, after))
        assert not any(layer.__module__.startswith("fastgan.nn") for layer in plain)
        assert fnn.LeakyReLU in fused
    assert fnn.LeakyReLUDropout in _layers(after.generator)
    loop = works["plain loop"]
    generator, discriminator = copy.deepcopy(loop._generator).eval(), copy.deepcopy(loop._discriminator)
    loop._generator.eval()  # no dropout, so that both see the same
    torch.manual_seed(1)
    loop()
    torch.manual_seed(1)
    chosen = torch.randint(len(loop._inputs), (_translation.BATCH,))
    inputs, real = loop._inputs[chosen], loop._targets[chosen]
    fake = generator(inputs)
    for logits, target in ((discriminator(real, inputs), 1.0), (discriminator(fake.detach(), inputs), 0.0)):
        F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target)).backward()
    torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999)).step()
    for p, q in zip(loop._discriminator.parameters(), discriminator.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    logits = discriminator(fake, inputs)
    loss = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits)) + 100 * (fake - real).abs().mean()
    loss.backward()
    torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999)).step()
    for p, q in zip(loop._generator.parameters(), generator.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-4, rtol=1e-4)  # Adam's first step is a sign where gradients are tiny


def test_every_target_of_the_step_table_has_its_row():
    rows = {case.name: [t.ratio for t in case.targets] for case in _steps.step_cases("cpu", 2, compiled=True)}
    assert rows == {
        "MLP GAN, batch 64": [1.5],
        "MLP GAN, batch 64, --compile": [1.8],
        "DCGAN-32, batch 128": [1.3],
        "DCGAN-32, batch 128, --precision bf16": [2],
        "pix2pix-64, batch 4": [],
    }
    rows = {case.name: [t.ratio for t in case.targets] for case in _steps.step_cases("cuda", 1, compiled=True)}
    assert rows == {"MLP GAN, batch 64, CUDA graph": [6], "DCGAN-64, batch 128, bf16 both": [1.6, 1.15]}


def test_sweeps_double():
    assert [p.batch_size for p in _steps.batch_sweep()] == [16, 32, 64, 128, 256, 512]
    sizes = [_steps.parameters(p) for p in _steps.width_sweep()]
    assert all(1.9 < b / a < 4.1 for a, b in itertools.pairwise(sizes))


def test_a_ring_sends_nothing_alone_and_nearly_twice_the_bytes_among_many():
    assert _scaling.ring_seconds(1, 1e9, 1e9, 0.5) == 0
    assert _scaling.ring_seconds(2, 1e9, 1e9, 0.5) == 1.5
    assert _scaling.ring_seconds(1000, 1e9, 1e9, 0.0) == pytest.approx(1.998)


def test_the_estimate_falls_with_the_number_of_gpus_and_is_told_apart():
    shares = list(_scaling.estimate().values())
    assert 1 > shares[0] > shares[1] > shares[-1] > 0
    found = {
        "problem": "x",
        "gradient_bytes": [4e6, 8e6],
        "seconds": {"1 process": 0.02, "1 process, half the batch": 0.011, "2 processes": 0.0125},
        "all_reduce_bytes_per_second": 1e10,
        "all_reduce_latency": 1e-4,
        "predicted_2_processes": 0.0124,
    }
    lines = list(_scaling.report(found))
    first_estimate = next(i for i, line in enumerate(lines) if line.startswith("estimate, not measured"))
    assert "speed-up of 2 processes: 1.60" in lines[first_estimate - 1]
    assert all("GPUs" in line or "assumed" in line for line in lines[first_estimate + 1 :])


def test_two_processes_are_measured_and_predicted():
    found = _scaling.measure(replace(_steps.MLP, batch_size=8), rounds=1, steps=2)
    assert all(value > 0 for value in found["seconds"].values())
    share = found["seconds"]["1 process, half the batch"]
    expected = share + sum(
        _scaling.ring_seconds(2, size, found["all_reduce_bytes_per_second"], found["all_reduce_latency"])
        for size in found["gradient_bytes"]
    )
    assert found["predicted_2_processes"] == expected
