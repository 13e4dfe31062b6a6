"""The parts of a trainer: data, batches and networks, made from the arguments and checked against each other."""

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
from fastgan.train.batches import Batch, Batches, BatchSource, LoadedBatches
from fastgan.train.batchnorm import convert_sync_batchnorm
from fastgan.train.config import TrainConfig
from fastgan.train.sampling import BalancedOrder, FlippedBatches

__all__ = [
    "DataLike",
    "all_labels",
    "as_data",
    "check_shapes",
    "load_data",
    "make_batches",
    "make_networks",
    "mixes_samples",
    "network_size",
    "probe_batch",
]

DataLike = Tensor | Data | Dataset[Any] | None

_PROBE_SAMPLES = 256  # samples of a Dataset that are loaded to find shapes and value ranges


def as_data(data: DataLike, config: TrainConfig) -> Data:
    """Convert the `data` argument of `GANTrainer` to a `Data`, which holds the first samples only of a `Dataset`.

    Args:
        data: the argument; None loads `config.data`.
        config: `data` and the settings of reading it.

    Raises:
        ValueError: for data that cannot be trained on.
        TypeError: for a `Dataset` whose samples are not tensors, or data of another dtype than floating point.
        FileNotFoundError: if a file of `config.data` does not exist.
    """
    if data is None:
        return load_data(config)[0]
    if isinstance(data, Data):
        return data
    if isinstance(data, Tensor):
        return Data(data)
    count = len(data)  # type: ignore[arg-type]
    items = [data[i] for i in range(min(_PROBE_SAMPLES, count))]
    if not items:
        raise ValueError("train: expected a Dataset with samples, got an empty one")
    first = items[0][0] if isinstance(items[0], list | tuple) else items[0]
    if not isinstance(first, Tensor):
        raise TypeError(f"train: expected a Dataset of tensors, or of pairs of those and labels, got {type(first)}")
    if not isinstance(items[0], list | tuple):
        return Data(torch.stack(items))
    return Data(torch.stack([x for x, _ in items]), torch.tensor([int(label) for _, label in items]))


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
        table=config.table,
        conditional=config.conditional,
    )
    return data.split(config.holdout) if config.holdout > 0 else (data, None)


def all_labels(data: Data, given: DataLike, config: TrainConfig) -> Tensor | None:
    """The labels (N,) of all samples, or None if neither `config.conditional` nor `config.balance` needs them.

    Args:
        data: what `as_data` returned.
        given: the `data` argument of `GANTrainer`.
        config: `conditional` and `balance`.

    Raises:
        ValueError: for data without labels or with negative ones.
    """
    if not config.conditional and config.balance == "none":
        return None
    if data.labels is None:
        need = "`conditional`" if config.conditional else f"`balance` {config.balance}"
        raise ValueError(f"train: expected labelled data for {need}, got none with labels")
    labels = _dataset_labels(given) if isinstance(given, Dataset) else data.labels
    if labels.min() < 0:
        raise ValueError(f"train: expected labels from 0 on, got {int(labels.min())}")
    return labels


def _dataset_labels(dataset: Dataset[Any]) -> Tensor:
    """All labels of a data set: its `targets`, which torchvision's data sets have, or those of all its samples."""
    targets = getattr(dataset, "targets", None)
    count = len(dataset)  # type: ignore[arg-type]
    return torch.as_tensor([int(dataset[i][1]) for i in range(count)] if targets is None else targets)


def make_batches(
    data: Data, given: DataLike, all_labels: Tensor | None, config: TrainConfig, device: torch.device
) -> BatchSource:
    """Make the batches of real samples.

    Args:
        data: what `as_data` returned.
        given: the `data` argument of `GANTrainer`; batches of a `Dataset` are loaded from it.
        all_labels: what the function `all_labels` returned.
        config: `batch_size`, `pack`, `balance`, `flip` and the other settings of batches.
        device: the training device.

    Raises:
        ValueError: for a batch size that is larger than the data or that processes cannot share equally, and for `flip`
            with data other than images.
    """
    distributed.check_batch_size(config.batch_size, config.pack)
    labels = data.labels if config.conditional or config.balance == "weights" else None
    source: Batches | LoadedBatches
    if isinstance(given, Dataset):
        source = LoadedBatches(given, labels is not None, config.batch_size, config.seed, device, config.workers)
    else:
        samples = data.samples
        if config.channels_last and samples.dim() == 4:
            samples = samples.contiguous(memory_format=torch.channels_last)
        source = Batches(samples, labels, config.batch_size, config.seed, device)
    if all_labels is not None and config.balance == "sampler":
        source.order = BalancedOrder(all_labels, config.batch_size, config.seed)
    if not config.flip:
        return source
    if data.samples.dim() != 4:
        raise ValueError(f"train: expected images (C, H, W) for `flip`, got samples {tuple(data.samples.shape[1:])}")
    return FlippedBatches(source, config.seed)


def network_size(data: Data, all_labels: Tensor | None, config: TrainConfig) -> NetworkSize:
    """The shapes and sizes of both networks.

    Args:
        data: what `as_data` returned.
        all_labels: what the function `all_labels` returned.
        config: `latent_dim`, `conditional`, `pack` and the settings of layers.

    Raises:
        ValueError: for `augment` with data other than images.
    """
    shape = tuple(data.samples.shape[1:])
    if config.augment and len(shape) != 3:
        raise ValueError(f"train: expected images (C, H, W) for `augment`, got samples {shape}")
    return NetworkSize(
        sample_shape=shape,
        latent_dim=config.latent_dim,
        negative_slope=config.negative_slope,
        dropout=config.dropout,
        bounded=data.bounded,
        classes=int(all_labels.max()) + 1 if config.conditional and all_labels is not None else 0,
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


def probe_batch(data: Data, config: TrainConfig, device: torch.device) -> Batch:
    """A few real samples for `check_shapes` and `mixes_samples`: two packs, with labels in a conditional run.

    Args:
        data: what `as_data` returned.
        config: `pack` and `conditional`.
        device: the training device.
    """
    count = 2 * config.pack
    labels = data.labels if config.conditional else None
    return data.samples[:count].to(device), None if labels is None else labels[:count].to(device)


@torch.no_grad()
def check_shapes(
    generator: nn.Module, discriminator: nn.Module, real: Tensor, labels: Tensor | None, config: TrainConfig
) -> None:
    """Refuse networks that do not fit the data, with a clearer message than the first step would give.

    Args:
        generator: a network; its training mode is kept.
        discriminator: a network; its training mode is kept.
        real: a few real samples; their number is a multiple of `config.pack`.
        labels: their labels, or None.
        config: `latent_dim` and `pack`.

    Raises:
        ValueError: with the network and the shapes, if they do not fit.
    """
    given = () if labels is None else (labels,)
    modes = generator.training, discriminator.training
    with torch.random.fork_rng([real.device] if real.is_cuda else []):
        fake = generator.eval()(real.new_zeros(len(real), config.latent_dim), *given)
        if fake.shape != real.shape:
            raise ValueError(f"train: expected generator(latents) of shape {list(real.shape)}, got {list(fake.shape)}")
        packed = pack(real, config.pack)
        logits = discriminator.eval()(packed, *given)
        if logits.shape[:1] != packed.shape[:1]:
            raise ValueError(
                f"train: expected discriminator(samples) of shape [{len(packed)}, ...], got {list(logits.shape)}"
            )
    generator.train(modes[0])
    discriminator.train(modes[1])


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
