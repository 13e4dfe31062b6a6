"""The parts of a trainer: data, batches and networks, made from the arguments and checked against each other."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from fastgan.convert import convert
from fastgan.data import Data, load
from fastgan.data.dataset import from_dataset
from fastgan.data.labels import listed
from fastgan.data.table.units import EncodedUnits
from fastgan.models import TABULAR, NetworkSize, TableGenerator, build, has_convolutions
from fastgan.models.bounds import end_in_float32
from fastgan.train import distributed
from fastgan.train._fields import parse_hidden
from fastgan.train.augment import pack
from fastgan.train.batches import Batch, Batches, Order
from fastgan.train.batchnorm import convert_sync_batchnorm
from fastgan.train.conditions import Condition, judge, twice
from fastgan.train.config import TrainConfig
from fastgan.train.inputs import check_inputs, with_inputs
from fastgan.train.precision import pick_precision
from fastgan.train.sampling import BalancedOrder, ConditionOrder
from fastgan.train.spread import Share

__all__ = [
    "DataLike",
    "as_data",
    "load_data",
    "make_batches",
    "make_networks",
    "mixes_samples",
    "network_size",
    "notes_on_classes",
    "notes_on_fit",
    "precision_for",
    "probe_batch",
    "usual_conditions",
]

DataLike = Tensor | Data | Dataset[Any] | None


def as_data(data: DataLike, config: TrainConfig) -> tuple[Data, Data | None]:
    """Convert the `data` argument of `GANTrainer` to a `Data`.

    Args:
        data: the argument; None loads `config.data`. A `Dataset` is asked for labels only where they are needed.
        config: `data` and the settings of reading it, `conditional`, `balance`, `from_` and what needs inputs.

    Returns:
        The training data, and those of `config.data` that are held out, or None.

    Raises:
        ValueError: for data that cannot be trained on, or that lack the labels that `conditional` or `balance` needs.
        TypeError: for an argument of another kind, a `Dataset` whose samples are not tensors, or data that are neither
            of a floating dtype nor images of bytes.
        FileNotFoundError: if a file of `config.data` does not exist.
    """
    labelled = config.conditional or config.balance != "none"
    held_out = None
    if data is None:
        data, held_out = load_data(config)
    elif isinstance(data, Tensor):
        data = with_inputs(Data(data), config)
    elif not isinstance(data, Data):
        data = with_inputs(from_dataset(data, labelled), config)
    else:
        data = with_inputs(data, config)
    check_inputs(data, config)
    if labelled and data.labels is None:
        need = "`conditional`" if config.conditional else f"`balance` {config.balance}"
        raise ValueError(f"train: expected labelled data for {need}, got none with labels")
    return data, held_out


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
        reverse=config.reverse,
        encoded=config.network == TABULAR,
    )
    data = with_inputs(data, config)
    return data.split(config.holdout) if config.holdout > 0 else (data, None)


def notes_on_fit(config: TrainConfig) -> list[str]:
    """What to say of the settings that a recipe fitted to the data, a line for each reason.

    Args:
        config: what `TrainConfig.fit_to` returned.
    """
    fitted = config.fitted or {}
    lines = []
    for why in dict.fromkeys(fitted.values()):
        names = [name for name in fitted if fitted[name] == why and name != "recipe"]
        settings = ", ".join(f"{name} {getattr(config, name)}" for name in names) or "as none is chosen"
        lines.append(f"train: recipe {config.recipe} for {why}: {settings}")
    return lines


def notes_on_classes(data: Data) -> list[str]:
    """What to say of the classes of the `data`: how many there are, and the first ones."""
    names = data.class_names
    return [f"train: {len(names):,} {'class' if len(names) == 1 else 'classes'}: {listed(names)}"] if names else []


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
    order: Order | None = None
    if isinstance(data.units, EncodedUnits) and config.network == TABULAR:
        codes = data.units.codes(data.source.read(torch.arange(len(data)))).to(device)
        order = ConditionOrder(codes, data.units.segments, config.batch_size, config.seed, share)
    elif config.balance == "sampler" and data.labels is not None:
        order = BalancedOrder(data.labels, config.batch_size, config.seed, share)
    return Batches(
        data,
        config.batch_size,
        config.seed,
        device,
        labelled=config.conditional or config.balance == "weights",
        channels_last=config.channels_last,
        flip=config.flip,
        workers=config.workers,
        share=share,
        order=order,
    )


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
        input_shape=data.input_shape,
        segments=data.units.segments if isinstance(data.units, EncodedUnits) and config.network == TABULAR else None,
        **({"hidden": parse_hidden(config.hidden)} if config.hidden else {}),
    )


def usual_conditions(data: Data, size: NetworkSize, count: int, generator: torch.Generator) -> Tensor | None:
    """Conditions (count,) of samples as often as an encoded table has them; None for other data.

    Args:
        data: what `as_data` returned.
        size: what `network_size` returned.
        count: how many.
        generator: draws them, on its device.
    """
    encoding = data.units.encoding if isinstance(data.units, EncodedUnits) and size.segments is not None else None
    return None if encoding is None else encoding.draw_conditions(count, generator)


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
            that are given, and a tanh at their end computes in float32.
        device: the training device.
    """
    built_g, built_d = build(config.network, size) if generator is None or discriminator is None else (None, None)
    networks = []
    for given, built in ((generator, built_g), (discriminator, built_d)):
        network = cast(nn.Module, built if given is None else given)
        if given is not None and config.convert:
            convert(network)
            end_in_float32(network)
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
    table_widths = size.hidden if isinstance(networks[0], TableGenerator) else ()
    return pick_precision(config.precision, device, size.sample_shape, convolutional, table_widths)


def probe_batch(data: Data, size: NetworkSize, config: TrainConfig, device: torch.device) -> Batch:
    """A few real samples for `check_networks` and `mixes_samples`: two packs, with what the networks get beside them.

    Args:
        data: what `as_data` returned.
        size: what `network_size` returned.
        config: `pack` and `conditional`.
        device: the training device.
    """
    chosen = torch.arange(2 * config.pack) % len(data)
    if data.inputs is not None:
        samples, inputs = data.pair_batch(chosen)
        return samples.to(device), inputs.to(device)
    labels = data.labels[chosen] if config.conditional and data.labels is not None else None
    if labels is None:
        labels = usual_conditions(data, size, len(chosen), torch.Generator().manual_seed(config.seed))
    return data.batch(chosen).to(device), None if labels is None else labels.to(device)


@torch.enable_grad()
def mixes_samples(discriminator: nn.Module, real: Tensor, condition: Condition, config: TrainConfig) -> bool:
    """Whether some logits depend on other samples of the batch, as with minibatch discrimination.

    It looks at the gradients of some samples' logits by other samples. If no layer mixes samples, they are exactly 0,
    with dropout, too, so the test needs no tolerance. It misses a layer that uses other samples without a gradient.

    Args:
        discriminator: a network in training mode; its buffers and the global generators are left unchanged.
        real: a few real samples; their number is a multiple of `config.pack`.
        condition: their labels or input images, or None.
        config: `pack`.
    """
    owners = [(m, name, b) for m in discriminator.modules() for name, b in m._buffers.items() if b is not None]
    values = [b.clone() for _, _, b in owners]
    with torch.random.fork_rng([real.device] if real.is_cuda else []):
        others = torch.randn_like(real).requires_grad_()
        packed = pack(torch.cat((real, others)), config.pack)
        logits = judge(discriminator, packed, twice(condition))
    first = logits[: len(logits) // 2].sum()
    gradient = torch.autograd.grad(first, others, allow_unused=True)[0] if first.requires_grad else None
    with torch.no_grad():
        for (module, name, buffer), value in zip(owners, values, strict=True):
            module._buffers[name] = buffer.copy_(value)
    return gradient is not None and bool(gradient.any())
