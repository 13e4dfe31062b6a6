"""Drop-in layers, each a subclass of its ``torch.nn`` namesake with the same constructor, repr and state_dict.

They compute the same through the fused kernels of :mod:`fastgan.functional`. Inputs that the kernels do not take
(integers, sparse and nested tensors, and ranks that torch takes with a warning) go to the ``forward`` of the namesake.
For ``torch.fx`` they are leaves, as those of ``torch.nn`` are; a RuntimeError refuses those with hooks.
``torch.jit.script`` refuses these layers; :func:`fastgan.revert` puts those of ``torch.nn`` back.
"""

from __future__ import annotations

from typing import Any, NoReturn

import torch  # noqa: F401 - the examples use it
from torch import Tensor, fx, nn

from fastgan import functional as FF
from fastgan.functional import eager
from fastgan.functional.composed import kernels_take

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "LeakyReLU",
    "LeakyReLUDropout",
    "ReLU",
]


def _new_memory(output: Tensor, input: Tensor, inplace: bool) -> Tensor:
    """Return ``output``, or a copy where it is the input itself, as for slope 1; torch's layers give new memory."""
    return output.clone() if output is input and not inplace else output


class _Layer:
    """Makes a layer a leaf for ``torch.fx``, and refuses ``torch.jit.script``, which cannot compile a forward of ours.

    It must be the last base of a layer: as the first one, Python would refuse to assign the layer's class to the
    ``__class__`` of a torch layer, as ``convert`` does.
    """

    __slots__ = ()

    def __prepare_scriptable__(self) -> NoReturn:
        raise RuntimeError(
            f"fastgan.nn.{type(self).__name__}: expected a module that torch.jit.script can compile, got one of"
            " fastgan's; call fastgan.revert(model) first, which puts torch.nn's layers back"
        )

    def _fx_node(self: Any, *arguments: Any) -> Any:
        """Return the ``torch.fx`` node that calls this layer, or None where no tracer can name the layer.

        Tracers take only classes of the package ``torch.nn`` for leaves, and run the ``forward`` of others with
        proxies. The result is None for tensors, and for a layer that is itself the root of the trace.

        Raises:
            RuntimeError: for a layer with hooks, which the tracer ran already and the node would run again.
        """
        tracer: Any = next((argument.tracer for argument in arguments if isinstance(argument, fx.Proxy)), None)
        path = tracer.path_of_module(self) if isinstance(tracer, fx.Tracer) else ""
        if not path:
            return None
        if self._forward_hooks or self._forward_pre_hooks:
            raise RuntimeError(
                f"fastgan.nn.{type(self).__name__}: expected no hooks under torch.fx, got some on '{path}', which would"
                " run twice; call fastgan.revert(model) first, which puts torch.nn's layers back"
            )
        return tracer.create_proxy("call_module", path, arguments, {})

    def _plain(self: Any, *arguments: Any) -> Tensor:
        """Return the ``torch.fx`` node or, where there is none, what the forward of the namesake returns."""
        output: Any = self._fx_node(*arguments)
        if output is None:
            namesake: Any = next(base for base in type(self).__mro__ if base.__module__.startswith("torch.nn."))
            output = namesake.forward(self, *arguments)
        return output  # type: ignore[no-any-return]


class LeakyReLU(nn.LeakyReLU, _Layer):
    """:class:`torch.nn.LeakyReLU`, through :func:`fastgan.functional.leaky_relu`. Shape: any, kept.

    Example:
        >>> LeakyReLU(0.2)(torch.tensor([-1.0, 2.0]))
        tensor([-0.2000,  2.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, of any shape and dtype that torch's layer takes."""
        output = eager.bias_act_dropout(input, self.negative_slope, 0.0, False, self.inplace)
        if output is not None:
            return output
        if not kernels_take(input):
            return self._plain(input)
        return _new_memory(FF.leaky_relu(input, self.negative_slope, self.inplace), input, self.inplace)


class ReLU(nn.ReLU, _Layer):
    """:class:`torch.nn.ReLU`, through :func:`fastgan.functional.leaky_relu` with slope 0. Shape: any, kept.

    Example:
        >>> ReLU()(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, of any shape and dtype that torch's layer takes."""
        output = eager.bias_act_dropout(input, 0.0, 0.0, False, self.inplace)
        if output is not None:
            return output
        if not kernels_take(input):
            return self._plain(input)
        return FF.leaky_relu(input, 0.0, self.inplace)


class Dropout(nn.Dropout, _Layer):
    """:class:`torch.nn.Dropout`, through :func:`fastgan.functional.dropout`. Shape: any, kept.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> Dropout(0.5)(torch.ones(8))
        tensor([2., 0., 2., 2., 0., 2., 0., 0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, of any shape and dtype that torch's layer takes."""
        if self.training:
            output = eager.bias_act_dropout(input, 1.0, self.p, False, self.inplace)
            if output is not None:
                return output
        if not kernels_take(input):
            return self._plain(input)
        return FF.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(nn.Dropout1d, _Layer):
    """:class:`torch.nn.Dropout1d`, through :func:`fastgan.functional.dropout1d`. Shape: (N, C, L) or (C, L), kept.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> Dropout1d(0.5)(torch.ones(1, 4, 3))[0, :, 0]  # a channel is doubled or zeroed
        tensor([2., 0., 2., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, of any shape and dtype that torch's layer takes."""
        if not kernels_take(input) or input.dim() not in (2, 3):
            return self._plain(input)
        return FF.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(nn.Dropout2d, _Layer):
    """:class:`torch.nn.Dropout2d`, through :func:`fastgan.functional.dropout2d`.

    Shape: (N, C, H, W) or (N, C, L), kept.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> Dropout2d(0.5)(torch.ones(2, 3, 4, 4)).mean((2, 3))  # a map is doubled or zeroed
        tensor([[2., 0., 2.],
                [2., 0., 2.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, of any shape and dtype that torch's layer takes."""
        if not kernels_take(input) or input.dim() not in (3, 4):
            return self._plain(input)
        return FF.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(nn.Dropout3d, _Layer):
    """:class:`torch.nn.Dropout3d`, through :func:`fastgan.functional.dropout3d`.

    Shape: (N, C, D, H, W) or (C, D, H, W), kept.

    Example:
        >>> Dropout3d(0.5).eval()(torch.ones(3, 2, 2, 2)).unique()
        tensor([1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to ``input``, of any shape and dtype that torch's layer takes."""
        if not kernels_take(input) or input.dim() not in (4, 5):
            return self._plain(input)
        return FF.dropout3d(input, self.p, self.training, self.inplace)


class BCELoss(nn.BCELoss, _Layer):
    """:class:`torch.nn.BCELoss`, through :func:`fastgan.functional.binary_cross_entropy`.

    ``target`` may also be one number.
    Shape: any input, the target's the same; the loss is a scalar, or has the input's shape with ``reduction="none"``.

    Example:
        >>> BCELoss()(torch.tensor([0.9, 0.5]), torch.tensor([1.0, 0.0]))
        tensor(0.3993)
    """

    def forward(self, input: Tensor, target: Tensor | float) -> Tensor:
        """Return the loss of ``input`` against ``target``."""
        if isinstance(input, fx.Proxy) or isinstance(target, fx.Proxy):
            return self._plain(input, target)
        return FF.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(nn.BCEWithLogitsLoss, _Layer):
    """:class:`torch.nn.BCEWithLogitsLoss`, through :func:`fastgan.functional.binary_cross_entropy_with_logits`.

    ``target`` may also be one number.
    Shape: any input, the target's the same; the loss is a scalar, or has the input's shape with ``reduction="none"``.

    Example:
        >>> BCEWithLogitsLoss()(torch.tensor([2.0, -1.0]), 1.0)
        tensor(0.7201)
    """

    def forward(self, input: Tensor, target: Tensor | float) -> Tensor:
        """Return the loss of ``input`` against ``target``."""
        if isinstance(input, fx.Proxy) or isinstance(target, fx.Proxy):
            return self._plain(input, target)
        return FF.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class LeakyReLUDropout(nn.Module, _Layer):
    """Leaky ReLU and dropout in one kernel, forward and backward.

    Equal to ``nn.Sequential(nn.LeakyReLU(negative_slope), nn.Dropout(p))``. With ``feature=True`` the dropout is
    ``nn.Dropout1d``, ``2d`` or ``3d`` over (N, C, ...). Shape: any, kept. It has no parameters.

    Args:
        negative_slope: the factor of x <= 0; 0 is ReLU.
        p: probability in [0, 1] that an element, or a feature map, is dropped in training.
        inplace: whether to write the result into the input.
        feature: whether to drop whole feature maps.

    Raises:
        ValueError: where ``p`` is outside [0, 1].

    Example:
        >>> layer = LeakyReLUDropout(0.2, p=0.3)
        >>> layer.eval()(torch.tensor([-1.0, 2.0]))
        tensor([-0.2000,  2.0000])
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
        """Apply the layer to ``input``, of any shape and dtype that torch's layers take."""
        p = self.p if self.training else 0.0
        output = eager.bias_act_dropout(input, self.negative_slope, p, self.feature, self.inplace)
        if output is not None:
            return output
        settings = (self.negative_slope, self.p, self.training, self.inplace)
        if not isinstance(input, Tensor) and isinstance(input, fx.Proxy):
            node = self._fx_node(input)
            if node is None:
                arguments = (input, *settings)
                node = input.tracer.create_proxy(
                    "call_function", FF.leaky_relu_dropout, arguments, {"feature": self.feature}
                )
            return node
        return _new_memory(FF.leaky_relu_dropout(input, *settings, feature=self.feature), input, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings, for the repr."""
        flags = f"{', inplace=True' if self.inplace else ''}{', feature=True' if self.feature else ''}"
        return f"negative_slope={self.negative_slope}, p={self.p}{flags}"
