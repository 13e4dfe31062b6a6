"""Batch normalisation whose statistics are those of all processes' samples together."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fastgan.train import distributed

__all__ = ["SyncBatchNorm", "synchronised"]

_KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class SyncBatchNorm(_BatchNorm):
    """`nn.BatchNorm` over the joined batch of all processes, whose parts are equally large.

    Unlike `nn.SyncBatchNorm` it works on CPUs, too, and is differentiable twice, as gradient penalties need. Mean and
    variance are computed in float32 (float64 for float64), the variance about the joined mean. In eval mode, as in a
    single process, it is `nn.BatchNorm`.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"SyncBatchNorm: expected input of shape (N, C, ...), got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, ...)."""
        if not self.training or distributed.world_size() == 1:
            return super().forward(input)
        self._check_input_dim(input)
        others = [d for d in range(input.dim()) if d != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        x = input if input.dtype == torch.float64 else input.float()
        mean = distributed.mean(x.mean(others))
        centred = x - mean.view(shape)
        variance = distributed.mean(centred.square().mean(others))
        self._follow(mean.detach(), variance.detach(), distributed.world_size() * input.numel() // input.shape[1])
        factor = (variance + self.eps).rsqrt()
        if self.affine:
            factor = factor * self.weight
        y = centred * factor.view(shape)
        if self.affine:
            y = y + self.bias.view(shape)
        return y.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics, as `nn.BatchNorm` does, with the unbiased variance of `count` numbers."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        weight = 1.0 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
        unbiased = variance * (count / max(1, count - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), weight)


def synchronised(network: nn.Module) -> nn.Module:
    """The network with its `nn.BatchNorm1d/2d/3d` layers replaced, in place but for itself; weights are kept."""
    if type(network) in _KINDS:
        return _replacement(cast(Any, network))
    for name, child in network.named_children():
        setattr(network, name, synchronised(child))
    return network


def _replacement(norm: Any) -> SyncBatchNorm:
    new = SyncBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    new.weight, new.bias = norm.weight, norm.bias
    new.running_mean, new.running_var = norm.running_mean, norm.running_var
    new.num_batches_tracked = norm.num_batches_tracked
    return new.train(norm.training)
