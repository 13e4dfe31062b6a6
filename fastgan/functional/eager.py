"""The short way to the kernel of the dropout family, for the calls that most layers make.

A call through ``torch.ops`` reads its arguments by the op's schema, which takes longer than the kernel of a small
tensor. A function of the compiled library reads the few arguments of the usual call itself and calls the same op.
"""

from __future__ import annotations

from torch import Tensor
from torch.compiler import is_compiling

from fastgan import _C

__all__ = ["bias_act_dropout"]


def bias_act_dropout(input: object, negative_slope: float, p: float, feature: bool, inplace: bool) -> Tensor | None:
    """Return ``dropout(leaky_relu(input, negative_slope), p)`` from the kernel, or None where the long way is needed.

    The long way is needed where something has to see the call before torch's dispatcher does: ``torch.compile``, a
    tracer, a transform of ``torch.func``, a mode or a subclass with ``__torch_function__``. It is also needed where the
    kernels do not take ``input``, where an argument is outside its range, and where nothing is computed (slope 1 and
    ``p`` 0). Such calls get their results, warnings and errors there.

    Args:
        input: any object; a tensor of any shape and floating dtype is taken.
        negative_slope: the factor of x <= 0; 1 is no activation.
        p: probability that an element, or a feature map, is dropped; 0 draws nothing.
        feature: whether to drop whole feature maps of (N, C, ...).
        inplace: whether to write the result into ``input`` and return that.

    Raises:
        RuntimeError: where ``inplace`` would overwrite a leaf that requires grad or an expanded tensor.
        ValueError: where ``feature`` meets fewer than 2 dimensions.

    Example:
        >>> import torch
        >>> bias_act_dropout(torch.tensor([-1.0, 2.0]), 0.2, 0.0, False, False)
        tensor([-0.2000,  2.0000])
        >>> bias_act_dropout("no tensor", 0.2, 0.0, False, False) is None
        True
    """
    if is_compiling():  # Dynamo cannot trace a C function
        return None
    return _C.bias_act_dropout(input, negative_slope, p, feature, inplace)
