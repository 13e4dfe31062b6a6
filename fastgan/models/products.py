"""Linear layers whose matrix products can have the same bits on any number of CPU threads."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from fastgan._support.process import product_threads
from fastgan.functional import composed

__all__ = ["Linear", "divides_products", "product"]

_product = torch.ops.fastgan.product.default
_product_out = torch.ops.fastgan.product_out.default


def product(a: Tensor, b: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Multiply matrices, and add a bias to each row.

    In a block of `fastgan._support.process.threads` for products only, on a CPU, a product is computed in parts of its
    rows, each by one thread. The parts depend on the shapes alone, so the bits do not depend on the number of threads.
    Elsewhere this is torch's product. The gradients are such products, too, and differentiable again.

    Args:
        a: (M, K), floating.
        b: (K, N) of the same dtype.
        bias: (N,) of the same dtype.
        out: (M, N), which gets the product; without gradients only.

    Returns:
        (M, N), `out` if there is one.

    Raises:
        ValueError: where shapes do not fit.
        TypeError: where a dtype is another one or not floating.

    Example:
        >>> product(torch.ones(1, 2), torch.tensor([[1.0], [2.0]]), torch.tensor([0.5]))
        tensor([[3.5000]])
    """
    if composed.needed("product", a):
        return torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)
    if out is None:
        return _product(a, b, bias, product_threads())  # type: ignore[no-any-return]
    _product_out(out, a, b, bias, product_threads())
    return out


def divides_products(*modules: nn.Module) -> bool:
    """Whether there is a `Linear` in one of the modules.

    Args:
        modules: networks or layers.
    """
    return any(isinstance(part, Linear) for module in modules for part in module.modules())


class Linear(nn.Linear):
    """`torch.nn.Linear` of matrices (N, in_features), computed by `product`; under autocast in its dtype."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, out_features) for `input` (N, in_features)."""
        device, bias = input.device.type, cast(Tensor | None, self.bias)
        weight = self.weight
        if torch.is_autocast_enabled(device) and input.dtype != torch.float64:
            dtype = torch.get_autocast_dtype(device)
            input, bias = input.to(dtype), None if bias is None else bias.to(dtype)
            return product(input, weight.to(dtype).t(), bias)
        return product(input, weight.t(), bias)
