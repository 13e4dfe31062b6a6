"""What a trainer is made of, from what it was given: data, batches, networks that fit each other."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from fastgan.convert import convert
from fastgan.data import Data, load
from fastgan.models import NetworkSize, build
from fastgan.train import distributed
from fastgan.train.augment import pack
from fastgan.train.batches import Batches, LoadedBatches, Source
from fastgan.train.batchnorm import synchronised
from fastgan.train.config import TrainConfig
from fastgan.train.sampling import BalancedOrder, Flipped

__all__ = [
    "Given",
    "all_labels",
    "as_data",
    "check_shapes",
    "load_data",
    "make_batches",
    "make_networks",
    "mixes_samples",
]

Given = Tensor | Data | Dataset[Any] | None

_PEEK = 256  # samples of a Dataset that stand for it where a tensor is looked at


def as_data(data: Given, config: TrainConfig) -> Data:
    """The data as tensors; of a `Dataset`, its first samples.

    Raises:
        ValueError, TypeError: for data that cannot serve.
    """
    if data is None:
        return load_data(config)[0]
    if isinstance(data, Data):
        return data
    if isinstance(data, Tensor):
        return Data(data)
    count = len(data)  # type: ignore[arg-type]
    items = [data[i] for i in range(min(_PEEK, count))]
    if not items:
        raise ValueError("train: expected a Dataset with samples, got an empty one")
    first = items[0][0] if isinstance(items[0], list | tuple) else items[0]
    if not isinstance(first, Tensor):
        raise TypeError(f"train: expected a Dataset of tensors, or of pairs of those and labels, got {type(first)}")
    if not isinstance(items[0], list | tuple):
        return Data(torch.stack(items))
    return Data(torch.stack([x for x, _ in items]), torch.tensor([int(label) for _, label in items]))


def load_data(config: TrainConfig) -> tuple[Data, Data | None]:
    """`config.data`: what is trained on, and the share `config.holdout` that is kept back, if any.

    Raises:
        ValueError, FileNotFoundError: for data that cannot serve.
    """
    data = load(config.data, config.image_size, config.strict, config.color, config.workers)
    return data.split(config.holdout) if config.holdout > 0 else (data, None)


def all_labels(data: Data, given: Given, config: TrainConfig) -> Tensor | None:
    """The class (N,) of every sample, where `config.conditional` or `config.balance` needs it, or None.

    Raises:
        ValueError: for data without labels, or with negative ones.
    """
    if not config.conditional and config.balance == "none":
        return None
    if data.labels is None:
        need = "`conditional`" if config.conditional else f"`balance` {config.balance}"
        raise ValueError(f"train: expected labelled data for {need}, got none with labels")
    every = _all_labels(given) if isinstance(given, Dataset) else data.labels
    if every.min() < 0:
        raise ValueError(f"train: expected labels from 0 on, got {int(every.min())}")
    return every


def _all_labels(dataset: Dataset[Any]) -> Tensor:
    """Every label: from `targets`, as torchvision's data sets have it, or else by loading every sample."""
    targets = getattr(dataset, "targets", None)
    count = len(dataset)  # type: ignore[arg-type]
    return torch.as_tensor([int(dataset[i][1]) for i in range(count)] if targets is None else targets)


def make_batches(data: Data, given: Given, every: Tensor | None, config: TrainConfig, device: torch.device) -> Source:
    """Batches of the data, or of the `Dataset` that it stands for; `every` is its `all_labels`.

    Raises:
        ValueError: for a batch larger than the data, or that does not fall into equal shares for all processes.
    """
    distributed.check_share(config.batch_size, config.pack)
    labels = data.labels if config.conditional or config.balance == "weights" else None
    source: Batches | LoadedBatches
    if isinstance(given, Dataset):
        source = LoadedBatches(given, labels is not None, config.batch_size, config.seed, device, config.workers)
    else:
        samples = data.samples
        if config.channels_last and samples.dim() == 4:
            samples = samples.contiguous(memory_format=torch.channels_last)
        source = Batches(samples, labels, config.batch_size, config.seed, device)
    if every is not None and config.balance == "sampler":
        source.order = BalancedOrder(every, config.batch_size, config.seed)
    if not config.flip:
        return source
    if data.samples.dim() != 4:
        raise ValueError(f"train: expected images (C, H, W) for `flip`, got samples {tuple(data.samples.shape[1:])}")
    return Flipped(source, config.seed)


def make_networks(
    generator: nn.Module | None,
    discriminator: nn.Module | None,
    size: NetworkSize,
    config: TrainConfig,
    device: torch.device,
) -> tuple[nn.Module, nn.Module]:
    """The recipe's networks in place of those that are None; fused layers are put into the others.

    Several processes get the weights of process 0.
    """
    recipe_g, recipe_d = build(config.network, size) if generator is None or discriminator is None else (None, None)
    networks = []
    for given, recipes in ((generator, recipe_g), (discriminator, recipe_d)):
        network = cast(nn.Module, recipes if given is None else given)
        if given is not None and config.convert:
            convert(network)
        if config.sync_batchnorm:
            network = synchronised(network)
        network.to(device)
        if config.channels_last and len(size.sample_shape) == 3:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        distributed.broadcast_parameters(network)
        networks.append(network)
    return networks[0], networks[1]


@torch.no_grad()
def check_shapes(
    generator: nn.Module, discriminator: nn.Module, real: Tensor, labels: Tensor | None, config: TrainConfig
) -> None:
    """Refuse networks that do not fit the data, before the first step does so obscurely.

    Args:
        generator: left in the mode it is in.
        discriminator: as well.
        real: a few real samples, a multiple of `config.pack`.
        labels: theirs, or None.
        config: latent_dim and pack.

    Raises:
        ValueError: naming the network and the shapes.
    """
    given = () if labels is None else (labels,)
    modes = generator.training, discriminator.training
    with torch.random.fork_rng([real.device] if real.is_cuda else []):
        fake = generator.eval()(real.new_zeros(len(real), config.latent_dim), *given)
        if fake.shape != real.shape:
            raise ValueError(f"train: expected generator(latents) of shape {list(real.shape)}, got {list(fake.shape)}")
        seen = pack(real, config.pack)
        logits = discriminator.eval()(seen, *given)
        if logits.shape[:1] != seen.shape[:1]:
            raise ValueError(
                f"train: expected discriminator(samples) of shape [{len(seen)}, ...], got {list(logits.shape)}"
            )
    generator.train(modes[0])
    discriminator.train(modes[1])


@torch.enable_grad()
def mixes_samples(discriminator: nn.Module, real: Tensor, labels: Tensor | None, config: TrainConfig) -> bool:
    """Whether some logits depend on other samples of their batch, as after minibatch discrimination.

    Told by gradients, which are exactly 0 where nothing is mixed: no tolerance for rounding is needed, and dropout does
    not disturb. What a layer takes from other samples without a gradient is not seen.

    Args:
        discriminator: in training mode; its buffers and torch's generators are left as they were.
        real: a few real samples, a multiple of `config.pack`.
        labels: theirs, or None.
        config: pack.
    """
    owners = [(m, name, b) for m in discriminator.modules() for name, b in m._buffers.items() if b is not None]
    values = [b.clone() for _, _, b in owners]
    with torch.random.fork_rng([real.device] if real.is_cuda else []):
        others = torch.randn_like(real).requires_grad_()
        seen = pack(torch.cat((real, others)), config.pack)
        logits = discriminator(seen) if labels is None else discriminator(seen, torch.cat((labels, labels)))
    first = logits[: len(logits) // 2].sum()
    gradient = torch.autograd.grad(first, others, allow_unused=True)[0] if first.requires_grad else None
    with torch.no_grad():
        for (module, name, buffer), value in zip(owners, values, strict=True):
            module._buffers[name] = buffer.copy_(value)
    return gradient is not None and bool(gradient.any())
