"""The parts of a trainer: data, batches and networks, made from the arguments and checked against each other."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from fastgan.convert import convert
from fastgan.data import Data, load
from fastgan.data.dataset import from_dataset
from fastgan.models import NetworkSize, build, has_convolutions
from fastgan.train import distributed
from fastgan.train.augment import pack
from fastgan.train.batches import Batch, Batches
from fastgan.train.batchnorm import convert_sync_batchnorm
from fastgan.train.config import TrainConfig
from fastgan.train.precision import pick_precision
from fastgan.train.sampling import BalancedOrder
from fastgan.train.spread import Share

__all__ = [
    "DataLike",
    "as_data",
    "load_data",
    "make_batches",
    "make_networks",
    "mixes_samples",
    "network_size",
    "notes_on_fit",
    "precision_for",
    "probe_batch",
]

DataLike = Tensor | Data | Dataset[Any] | None


def as_data(data: DataLike, config: TrainConfig) -> Data:
    """Convert the `data` argument of `GANTrainer` to a `Data`.

    Args:
        data: the argument; None loads `config.data`. A `Dataset` is asked for labels only where they are needed.
        config: `data` and the settings of reading it, `conditional` and `balance`.

    Raises:
        ValueError: for data that cannot be trained on, or that lack the labels that `conditional` or `balance` needs.
        TypeError: for an argument of another kind, a `Dataset` whose samples are not tensors, or data that are neither
            of a floating dtype nor images of bytes.
        FileNotFoundError: if a file of `config.data` does not exist.
    """
    labelled = config.conditional or config.balance != "none"
    if data is None:
        data = load_data(config)[0]
    elif isinstance(data, Tensor):
        data = Data(data)
    elif not isinstance(data, Data):
        data = from_dataset(data, labelled)
    if labelled and data.labels is None:
        need = "`conditional`" if config.conditional else f"`balance` {config.balance}"
        raise ValueError(f"train: expected labelled data for {need}, got none with labels")
    return data


def load_data(config: TrainConfig) -> tuple[Data, Data | None]:
    """Load the data named by a configuration.

    Args:
        config: `data`, `holdout` and the settings of reading the data.

    Returns:
        The training data, and the share `config.holdout` that is kept from it, or None if that is 0.

    Raises:
        ValueError: for data that cannot be trained on.
        FileNotFoundError: if a file does not exist.
    """
    data = load(
        config.data,
        config.image_size,
        config.strict,
        config.color,
        config.workers,
        config.background,
        (config.out or "runs",),
        table=config.table,
        conditional=config.conditional,
    )
    return data.split(config.holdout) if config.holdout > 0 else (data, None)


def notes_on_fit(config: TrainConfig) -> list[str]:
    """What to say of the settings that a recipe fitted to the data, a line for each reason.

    Args:
        config: what `TrainConfig.fit_to` returned.
    """
    fitted = config.fitted or {}
    lines = []
    for why in dict.fromkeys(fitted.values()):
        settings = ", ".join(f"{name} {getattr(config, name)}" for name in fitted if fitted[name] == why)
        lines.append(f"train: recipe {config.recipe} for {why}: {settings}")
    return lines


def make_batches(data: Data, config: TrainConfig, device: torch.device, share: Share) -> Batches:
    """Make the batches of real samples.

    Args:
        data: what `as_data` returned.
        config: `batch_size`, `pack`, `balance`, `flip` and the other settings of batches.
        device: the training device.
        share: which of them this process draws.

    Raises:
        ValueError: for a batch size that is larger than the data or that processes cannot share equally, and for `flip`
            with data other than images.
    """
    distributed.check_batch_size(config.batch_size, config.pack)
    if config.flip and len(data.sample_shape) != 3:
        raise ValueError(f"train: expected images (C, H, W) for `flip`, got samples {data.sample_shape}")
    batches = Batches(
        data,
        config.batch_size,
        config.seed,
        device,
        labelled=config.conditional or config.balance == "weights",
        channels_last=config.channels_last,
        flip=config.flip,
        workers=config.workers,
        share=share,
    )
    if config.balance == "sampler" and data.labels is not None:
        batches.order = BalancedOrder(data.labels, config.batch_size, config.seed, share)
    return batches


def network_size(data: Data, config: TrainConfig) -> NetworkSize:
    """The shapes and sizes of both networks.

    Args:
        data: what `as_data` returned.
        config: `latent_dim`, `conditional`, `pack` and the settings of layers.

    Raises:
        ValueError: for `augment` with data other than images.
    """
    shape = data.sample_shape
    if config.augment and len(shape) != 3:
        raise ValueError(f"train: expected images (C, H, W) for `augment`, got samples {shape}")
    return NetworkSize(
        sample_shape=shape,
        latent_dim=config.latent_dim,
        negative_slope=config.negative_slope,
        dropout=config.dropout,
        bounded=data.bounded,
        classes=len(data.class_names) if config.conditional else 0,
        pack=config.pack,
    )


def make_networks(
    generator: nn.Module | None,
    discriminator: nn.Module | None,
    size: NetworkSize,
    config: TrainConfig,
    device: torch.device,
) -> tuple[nn.Module, nn.Module]:
    """Prepare both networks on the training device; all processes get the weights of process 0.

    Args:
        generator: a network, or None for that of `config.network`.
        discriminator: a network, or None for that of `config.network`.
        size: what `network_size` returned.
        config: `network`, `channels_last`, `sync_batchnorm`, and `convert`, by which `fastgan.convert` changes networks
            that are given.
        device: the training device.
    """
    built_g, built_d = build(config.network, size) if generator is None or discriminator is None else (None, None)
    networks = []
    for given, built in ((generator, built_g), (discriminator, built_d)):
        network = cast(nn.Module, built if given is None else given)
        if given is not None and config.convert:
            convert(network)
        if config.sync_batchnorm:
            network = convert_sync_batchnorm(network)
        network.to(device)
        if config.channels_last and len(size.sample_shape) == 3:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        distributed.broadcast_parameters(network)
        networks.append(network)
    return networks[0], networks[1]


def precision_for(
    config: TrainConfig, size: NetworkSize, networks: tuple[nn.Module, nn.Module], device: torch.device
) -> str:
    """The precision of the forward passes: fp32, bf16 or fp16.

    Args:
        config: `precision`.
        size: what `network_size` returned.
        networks: generator and discriminator.
        device: the training device.

    Raises:
        ValueError: for bf16 on a GPU that does not support it.
    """
    convolutional = any(has_convolutions(network) for network in networks)
    return pick_precision(config.precision, device, len(size.sample_shape) == 3, convolutional)


def probe_batch(data: Data, config: TrainConfig, device: torch.device) -> Batch:
    """A few real samples for `check_networks` and `mixes_samples`: two packs, with labels in a conditional run.

    Args:
        data: what `as_data` returned.
        config: `pack` and `conditional`.
        device: the training device.
    """
    chosen = torch.arange(2 * config.pack) % len(data)
    labels = data.labels if config.conditional else None
    return data.batch(chosen).to(device), None if labels is None else labels[chosen].to(device)


@torch.enable_grad()
def mixes_samples(discriminator: nn.Module, real: Tensor, labels: Tensor | None, config: TrainConfig) -> bool:
    """Whether some logits depend on other samples of the batch, as with minibatch discrimination.

    It looks at the gradients of some samples' logits by other samples. If no layer mixes samples, they are exactly 0,
    with dropout, too, so the test needs no tolerance. It misses a layer that uses other samples without a gradient.

    Args:
        discriminator: a network in training mode; its buffers and the global generators are left unchanged.
        real: a few real samples; their number is a multiple of `config.pack`.
        labels: their labels, or None.
        config: `pack`.
    """
    owners = [(m, name, b) for m in discriminator.modules() for name, b in m._buffers.items() if b is not None]
    values = [b.clone() for _, _, b in owners]
    with torch.random.fork_rng([real.device] if real.is_cuda else []):
        others = torch.randn_like(real).requires_grad_()
        packed = pack(torch.cat((real, others)), config.pack)
        logits = discriminator(packed) if labels is None else discriminator(packed, torch.cat((labels, labels)))
    first = logits[: len(logits) // 2].sum()
    gradient = torch.autograd.grad(first, others, allow_unused=True)[0] if first.requires_grad else None
    with torch.no_grad():
        for (module, name, buffer), value in zip(owners, values, strict=True):
            module._buffers[name] = buffer.copy_(value)
    return gradient is not None and bool(gradient.any())
