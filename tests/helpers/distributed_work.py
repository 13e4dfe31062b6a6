"""Functions that the processes of the tests of several processes run; they import this module."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import nn

from fastgan.data import options
from fastgan.train import GANTrainer, TrainConfig, distributed
from fastgan.train.batchnorm import SyncBatchNorm


def images() -> torch.Tensor:
    """Forty random 8x8 images in [-1, 1]."""
    return torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(5)) * 2 - 1


def config(**changes: Any) -> TrainConfig:
    """A few steps of a small batch, without dropout, whose masks differ between processes."""
    return TrainConfig(**{"batch_size": 8, "steps": 10, "dropout": 0.0, "checkpoint_every": 10, **changes})


def weights(trainer: GANTrainer) -> dict[str, torch.Tensor]:
    """All parameters and buffers."""
    networks = {"g": trainer.generator, "d": trainer.discriminator, "ema": trainer.ema}
    return {f"{name}.{k}": v for name, network in networks.items() for k, v in network.state_dict().items()}


def train(path: Path, changes: dict[str, Any], steps: int = 10) -> None:
    """Train some steps; process 0 saves weights and statistics."""
    trainer = GANTrainer(config(**changes), data=images())
    # Without dropout, the only random numbers that differ between processes are those of WGAN-GP's interpolation.
    with patch("torch.rand", lambda *shape, **kind: torch.full(shape, 0.3, **kind)):
        for _ in range(steps):
            trainer.step()
    statistics = trainer.statistics()
    if distributed.rank() == 0:
        torch.save({"weights": weights(trainer), "statistics": statistics}, path)


def compare(changes: dict[str, Any]) -> None:
    """Train, and check that all processes hold the same weights, bit for bit, and draw different random numbers."""
    torch.manual_seed(distributed.rank())
    trainer = GANTrainer(config(**changes), data=images())
    start = digest(trainer)
    for _ in range(5):
        trainer.step()
    assert len(set(distributed.all_gather(start))) == 1
    assert len(set(distributed.all_gather(digest(trainer)))) == 1
    assert digest(trainer) != start
    assert len(set(distributed.all_gather(float(torch.rand(()))))) == distributed.world_size()


def different_networks() -> None:
    """Networks that every process initialises differently become those of process 0."""
    torch.manual_seed(distributed.rank())
    generator = nn.Sequential(nn.Linear(100, 64), nn.Unflatten(1, (1, 8, 8)))
    own_weight = generator[0].weight.detach().clone()
    trainer = GANTrainer(config(), generator, data=images())
    same = torch.equal(trainer.generator[0].weight, own_weight)
    assert distributed.all_gather(same) == [True, False]
    assert len(set(distributed.all_gather(digest(trainer)))) == 1


def digest(trainer: GANTrainer) -> str:
    """A digest of all parameters and buffers."""
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in weights(trainer).values())).hexdigest()


def fit(changes: dict[str, Any]) -> None:
    """Run `GANTrainer.fit`."""
    GANTrainer(config(**changes), data=images()).fit()


def normalise() -> None:
    """Compare batch normalisation of shards with torch's of the joined batch, up to second derivatives."""
    torch.manual_seed(0)
    x = torch.randn(6, 3, 4, dtype=torch.float64) * 2 + 5
    direction = torch.randn(6, 3, 4, dtype=torch.float64)
    plain, sync = nn.BatchNorm1d(3).double(), SyncBatchNorm(3).double()
    for norm in (plain, sync):
        nn.init.uniform_(norm.weight)
        nn.init.uniform_(norm.bias)
    sync.load_state_dict(plain.state_dict())
    expected = derivatives(plain, x, direction)
    found = derivatives(sync, distributed.shard(x), distributed.shard(direction))
    for name, value in expected.items():
        got = found[name]
        if name in ("weight", "bias"):
            distributed.average_([got])
            got = got * distributed.world_size()  # the loss is a sum
        else:
            value = distributed.shard(value)
        torch.testing.assert_close(got, value, rtol=1e-12, atol=1e-12)  # float64's rounding
    torch.testing.assert_close(sync.state_dict(), plain.state_dict(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sync.eval()(x), plain.eval()(x), rtol=1e-12, atol=1e-12)


def derivatives(norm: nn.Module, x: torch.Tensor, direction: torch.Tensor) -> dict[str, torch.Tensor]:
    """The output, its gradient, and the gradients of that gradient's squared norm."""
    x = x.clone().requires_grad_(True)
    y = norm(x)
    (gradient,) = torch.autograd.grad((y.tanh() * direction).sum(), x, create_graph=True)
    second = torch.autograd.grad(gradient.square().sum(), [x, norm.weight, norm.bias])
    return {"y": y, "gradient": gradient, **dict(zip(("second", "weight", "bias"), second, strict=True))}


def part_of(folder: Path, **changes: Any) -> TrainConfig:
    """The settings of a run whose process r holds the shards in the folder `machine-r`."""
    shards = f"tar:{folder}/machine-{distributed.rank()}/*.tar"
    return config(**{"data": shards, "spread": True, "conditional": True, "recipe": "conditional", **changes})


def three_share(folder: Path) -> TrainConfig:
    """As `part_of`, with batches that three processes can share."""
    return part_of(folder, batch_size=12)


def shared(folder: Path) -> TrainConfig:
    """The settings of a run whose processes hold the same shards."""
    return part_of(folder, data=f"tar:{folder}/machine-1/*.tar", spread=False)


def draw(settings: Callable[..., TrainConfig], arguments: tuple[Any, ...], path: Path, count: int) -> None:
    """Save what every process gets as its first `count` batches: samples and names of classes; and the notes."""
    options.free_memory = lambda: 1000  # the images do not lie in memory
    trainer = GANTrainer(settings(*arguments))
    batches = [trainer._batches[k] for k in range(count)]
    names = [[trainer.data.class_names[label] for label in labels.tolist()] for _, labels in batches]
    everyone = distributed.all_gather(([samples for samples, _ in batches], names, trainer.take_notes()))
    if distributed.rank() == 0:
        torch.save(everyone, path)


def fit_part(folder: Path, changes: dict[str, Any]) -> None:
    """Run `GANTrainer.fit` on the shards of each process."""
    GANTrainer(part_of(folder, **changes)).fit()


def refused_at_fit(folder: Path, changes: dict[str, Any], message: str) -> None:
    """Check that a run of the processes' shards does not go on, with a message that matches, in all of them."""
    with pytest.raises((ValueError, distributed.FirstProcessError), match=message):
        fit_part(folder, changes)


def refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    """Check that the trainer refuses the shards of the processes, in all of them, with a message that matches."""
    with pytest.raises(ValueError, match=message):
        GANTrainer(part_of(folder, **changes))
