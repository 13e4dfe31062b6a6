"""Batch normalisation with statistics over the samples of all processes."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fastgan.train import distributed

__all__ = ["SyncBatchNorm", "convert_sync_batchnorm"]

_KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class SyncBatchNorm(_BatchNorm):
    """`nn.BatchNorm` over the joined batch of all processes, whose shards have equal sizes.

    Unlike `nn.SyncBatchNorm` it also works on CPUs and is differentiable twice, as gradient penalties need. Mean and
    variance are computed in float32 (float64 for float64 input), the variance about the mean of the joined batch. In
    eval mode and in a single process it computes what `nn.BatchNorm` does.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"SyncBatchNorm: expected input of shape (N, C, ...), got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `input`.

        Args:
            input: this process's shard (N, C, ...).

        Returns:
            A tensor of the same shape and dtype.

        Raises:
            ValueError: for an input of fewer than two dimensions.
            LostProcessError: if another process is gone.
        """
        if not self.training or distributed.world_size() == 1:
            return super().forward(input)
        self._check_input_dim(input)
        dims = [d for d in range(input.dim()) if d != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        x = input if input.dtype == torch.float64 else input.float()
        mean = distributed.all_reduce_mean(x.mean(dims))
        centred = x - mean.view(shape)
        variance = distributed.all_reduce_mean(centred.square().mean(dims))
        count = distributed.world_size() * input.numel() // input.shape[1]
        self._update_running_statistics(mean.detach(), variance.detach(), count)
        factor = (variance + self.eps).rsqrt()
        if self.affine:
            factor = factor * self.weight
        y = centred * factor.view(shape)
        if self.affine:
            y = y + self.bias.view(shape)
        return y.to(input.dtype)

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics as `nn.BatchNorm` does, with the unbiased variance of `count` numbers."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        weight = 1.0 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
        unbiased = variance * (count / max(1, count - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), weight)


def convert_sync_batchnorm(network: nn.Module) -> nn.Module:
    """Replace the `nn.BatchNorm1d/2d/3d` layers of `network` by `SyncBatchNorm`, which shares their parameters.

    Layers inside the network are replaced in place.

    Args:
        network: any module, perhaps a batch normalisation layer itself.

    Returns:
        The network, or its replacement where it is a batch normalisation layer itself.
    """
    if type(network) in _KINDS:
        return _replacement(cast(Any, network))
    for name, child in network.named_children():
        setattr(network, name, convert_sync_batchnorm(child))
    return network


def _replacement(norm: Any) -> SyncBatchNorm:
    new = SyncBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    new.weight, new.bias = norm.weight, norm.bias
    new.running_mean, new.running_var = norm.running_mean, norm.running_var
    new.num_batches_tracked = norm.num_batches_tracked
    return new.train(norm.training)
