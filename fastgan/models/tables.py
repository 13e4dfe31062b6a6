"""The networks of a conditional tabular GAN, Xu et al. (2019), section 4.4."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn

from fastgan import nn as fnn
from fastgan.data.table.segments import Segments, choose, one_hot
from fastgan.models.heads import column_heads, condition_loss
from fastgan.models.products import Linear, product
from fastgan.models.size import NetworkSize, activation

__all__ = ["TableDiscriminator", "TableGenerator", "calibrate", "table_discriminator", "table_generator"]

Batch = tuple[Tensor, Tensor | None]
_ROWS = 2048  # evaluated at once on a CPU, so that what a layer writes is still in the cache when the next one reads it


class TableGenerator(nn.Module):
    """Residual dense layers with batch normalisation, and the heads of the columns.

    Each layer's output is joined to its input: h -> [relu(batch norm(linear(h))), h].

    Args:
        segments: the layout of a row.
        latent_dim: the number of entries of a latent vector.
        hidden: the width of each residual layer.
        tau: the temperature of the Gumbel-softmax.

    Attributes:
        condition_loss: the cross-entropy of the conditions in the last forward in training, 0 without conditions.
    """

    def __init__(
        self, segments: Segments, latent_dim: int = 128, hidden: Sequence[int] = (256, 256), tau: float = 0.2
    ) -> None:
        super().__init__()
        self.segments, self.latent_dim, self.tau = segments, latent_dim, tau
        width = latent_dim + segments.condition_width
        self.layers = nn.ModuleList()
        for features in hidden:
            # The bias would vanish in the batch normalisation.
            layer = nn.Sequential(Linear(width, features, bias=False), nn.BatchNorm1d(features))
            self.layers.append(layer.append(fnn.ReLU(inplace=True)))
            width += features
        self.out = Linear(width, segments.width)
        self.condition_loss = torch.zeros(())

    def outputs(self, latents: Tensor, conditions: Tensor | None = None) -> Tensor:
        """What the heads get.

        Args:
            latents: (N, latent_dim).
            conditions: int64 (N,), as `ConditionSampler` draws them; None where the table has no categories.

        Returns:
            (N, width of the segments).
        """
        h = latents
        if torch.is_autocast_enabled(h.device.type):  # once, and not in each layer
            h = h.to(torch.get_autocast_dtype(h.device.type))
        elif not self.training and not torch.is_grad_enabled():
            return self._evaluated(latents, conditions)
        if conditions is not None:
            h = torch.cat((nn.functional.one_hot(conditions, self.segments.condition_width).to(h.dtype), h), 1)
        for layer in self.layers:
            h = torch.cat((layer(h), h), 1)
        with _full_precision(h):
            x = _OutputLayer.apply(h, self.out.weight, self.out.bias)  # type: ignore[no-untyped-call]
        return cast(Tensor, x)

    def _evaluated(self, latents: Tensor, conditions: Tensor | None) -> Tensor:
        """`outputs` in eval mode, without gradients.

        Batch normalisation is a part of the weights, and each layer writes to its place in the input of the next one. A
        million rows take 8.4 s that way and took 11.7 s layer by layer (diamonds; one thread of an AMD EPYC); on two
        threads they take 6.0 s.
        """
        folded = [_folded(layer) for layer in self.layers]
        outputs = latents.new_empty(len(latents), self.segments.width)
        rows = _ROWS if latents.device.type == "cpu" else max(1, len(latents))
        joined = latents.new_empty(min(len(latents), rows), self.out.in_features)
        for first in range(0, len(latents), rows):
            h = joined[: min(rows, len(latents) - first)]
            part = slice(first, first + len(h))
            begin = h.shape[1] - self.latent_dim
            h[:, begin:] = latents[part]
            if conditions is not None:
                end, begin = begin, begin - self.segments.condition_width
                h[:, begin:end] = nn.functional.one_hot(conditions[part], end - begin)
            for weight, bias in folded:
                known, end, begin = h[:, begin:], begin, begin - len(bias)
                product(known, weight.t(), bias, out=h[:, begin:end]).relu_()
            product(h, self.out.weight.t(), self.out.bias, out=outputs[part])
        return outputs

    def forward(self, latents: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Rows (N, width of the segments) for `latents` and `conditions`, as `outputs` takes them.

        The noise of the heads is drawn from the device's default generator. In eval mode the one-hot vectors are such.
        """
        x = self.outputs(latents, conditions)
        with _full_precision(x):
            if self.training:
                self.condition_loss = (
                    x.new_zeros(()) if conditions is None else condition_loss(x, conditions, self.segments)
                )
            rows = column_heads(x, self.segments, self.tau)
        if self.training:
            return rows
        return one_hot(rows[:, : self.segments.scalars], choose(rows, self.segments), self.segments)

    def extra_loss(self) -> Tensor:
        """What `fastgan.train.step.GANStep` adds to this generator's loss: `condition_loss`."""
        return self.condition_loss


class TableDiscriminator(nn.Module):
    """Dense layers over packs of rows and their conditions, with leaky ReLU and dropout in one kernel.

    Args:
        segments: the layout of a row.
        pack: rows that are judged together (PacGAN, Lin et al., 2018).
        hidden: the width of each layer.
        dropout: the probability that an entry is dropped.
        negative_slope: of leaky ReLU.
    """

    def __init__(
        self,
        segments: Segments,
        pack: int = 10,
        hidden: Sequence[int] = (256, 256),
        dropout: float = 0.5,
        negative_slope: float = 0.2,
    ) -> None:
        width = pack * (segments.width + segments.condition_width)
        size = NetworkSize((width,), negative_slope=negative_slope, dropout=dropout)
        layers: list[nn.Module] = []
        for features in hidden:
            layers += [Linear(width, features), activation(size)]
            width = features
        super().__init__()
        self.segments = segments
        self.layers = nn.Sequential(*layers, Linear(width, 1))

    def forward(self, packs: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Judge packs of rows.

        Args:
            packs: (N / pack, pack * width of the segments).
            conditions: int64 (N,), or None where the table has no categories.

        Returns:
            Logits (N / pack, 1).
        """
        if conditions is not None:
            given = nn.functional.one_hot(conditions, self.segments.condition_width).to(packs.dtype)
            packs = torch.cat((packs, given.view(len(packs), -1)), 1)
        logits: Tensor = self.layers(packs)
        return logits


def table_generator(size: NetworkSize) -> nn.Module:
    """The generator of the network `tabular`.

    Args:
        size: `segments`, `latent_dim` and `hidden`.

    Raises:
        ValueError: without segments.
    """
    return TableGenerator(_segments(size), size.latent_dim, size.hidden)


def table_discriminator(size: NetworkSize) -> nn.Module:
    """The discriminator of the network `tabular`.

    Args:
        size: `segments`, `pack`, `hidden`, `negative_slope` and `dropout`.

    Raises:
        ValueError: without segments.
    """
    return TableDiscriminator(_segments(size), size.pack, size.hidden, size.dropout, size.negative_slope)


def _segments(size: NetworkSize) -> Segments:
    if size.segments is None:
        raise ValueError(
            "models: expected a table, as of csv:PATH or parquet:PATH, for the network 'tabular', got samples of shape "
            f"{list(size.sample_shape)}"
        )
    return size.segments


def _folded(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer's linear part with batch normalisation by its running statistics behind it."""
    linear, norm, _ = cast(tuple[nn.Linear, nn.BatchNorm1d, nn.Module], layer)
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = norm.weight / (variance + norm.eps).sqrt()
    return linear.weight * scale[:, None], norm.bias - mean * scale


class _OutputLayer(torch.autograd.Function):
    """A linear layer whose outputs have the weights' precision and whose gradients have its input's."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(h, weight)
        return product(h.to(weight.dtype), weight.t(), bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h, weight = ctx.saved_tensors
        g = grad.to(h.dtype)
        return product(g, weight.to(h.dtype)), product(g.t(), h).to(weight.dtype), grad.sum(0)


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    """A block without autocast on the device of `x`, for what makes rows of features.

    16 bits would round a row's numbers to 8 binary digits, and its one-hot vectors to sums beside 1.
    """
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


@torch.no_grad()
def calibrate(generator: TableGenerator, batches: Iterable[Batch]) -> None:
    """Compute the statistics of a generator's batch normalisation anew: those of other weights do not fit an average.

    Args:
        generator: a moving average of generators; it is left in eval mode.
        batches: latents and conditions, drawn as in training, over which the statistics are averaged.
    """
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm1d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
    generator.train()
    for latents, conditions in batches:
        generator.outputs(latents, conditions)
    generator.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
