"""Drop-in layers, through the fused kernels of :mod:`fastgan.functional`.

Each is a subclass of its ``torch.nn`` namesake with the same constructor, repr and state_dict, and computes the same.
"""

from __future__ import annotations

from torch import Tensor, nn

from fastgan import functional as FF


class LeakyReLU(nn.LeakyReLU):
    """:class:`torch.nn.LeakyReLU`, through :func:`fastgan.functional.leaky_relu`. Shape: any, kept."""

    def forward(self, input: Tensor) -> Tensor:
        return FF.leaky_relu(input, self.negative_slope, self.inplace)


class ReLU(nn.ReLU):
    """:class:`torch.nn.ReLU`, through :func:`fastgan.functional.leaky_relu` with slope 0.

    Shape: any, kept. Tensors of integers go to torch.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not input.is_floating_point():
            return super().forward(input)
        return FF.leaky_relu(input, 0.0, self.inplace)


class Dropout(nn.Dropout):
    """:class:`torch.nn.Dropout`, through :func:`fastgan.functional.dropout`. Shape: any, kept."""

    def forward(self, input: Tensor) -> Tensor:
        return FF.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(nn.Dropout1d):
    """:class:`torch.nn.Dropout1d`, through :func:`fastgan.functional.dropout1d`. Shape: (N, C, L) or (C, L), kept."""

    def forward(self, input: Tensor) -> Tensor:
        return FF.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(nn.Dropout2d):
    """:class:`torch.nn.Dropout2d`, through :func:`fastgan.functional.dropout2d`.

    Shape: (N, C, H, W) or (N, C, L), kept.
    """

    def forward(self, input: Tensor) -> Tensor:
        return FF.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(nn.Dropout3d):
    """:class:`torch.nn.Dropout3d`, through :func:`fastgan.functional.dropout3d`.

    Shape: (N, C, D, H, W) or (C, D, H, W), kept.
    """

    def forward(self, input: Tensor) -> Tensor:
        return FF.dropout3d(input, self.p, self.training, self.inplace)


class BCEWithLogitsLoss(nn.BCEWithLogitsLoss):
    """:class:`torch.nn.BCEWithLogitsLoss`, through :func:`fastgan.functional.binary_cross_entropy_with_logits`.

    ``target`` may also be one number.
    Shape: input any; target the same; the loss a scalar, or with ``reduction="none"`` the input's.
    """

    def forward(self, input: Tensor, target: Tensor | float) -> Tensor:
        return FF.binary_cross_entropy_with_logits(input, target, self.weight, self.pos_weight, self.reduction)


class LeakyReLUDropout(nn.Module):
    """Leaky ReLU and dropout in one kernel, forward and backward.

    Equal to ``nn.Sequential(nn.LeakyReLU(negative_slope), nn.Dropout(p))``, or with ``feature=True`` to one with
    ``nn.Dropout1d/2d/3d`` over (N, C, ...). Shape: any, kept. It has no parameters. Raises ValueError where ``p`` is
    outside [0, 1].
    """

    def __init__(
        self, negative_slope: float = 0.01, p: float = 0.5, inplace: bool = False, feature: bool = False
    ) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"fastgan.nn.LeakyReLUDropout: expected p in [0, 1], got {p}")
        self.negative_slope = negative_slope
        self.p = p
        self.inplace = inplace
        self.feature = feature

    def forward(self, input: Tensor) -> Tensor:
        return FF.leaky_relu_dropout(
            input, self.negative_slope, self.p, self.training, self.inplace, feature=self.feature
        )

    def extra_repr(self) -> str:
        flags = f"{', inplace=True' if self.inplace else ''}{', feature=True' if self.feature else ''}"
        return f"negative_slope={self.negative_slope}, p={self.p}{flags}"
