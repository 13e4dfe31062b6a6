"""Adversarial losses, gradient penalties and weight penalties.

`LOSSES` holds the losses by name: `bce` (Goodfellow et al., 2014), `lsgan` (Mao et al., 2017), `hinge` (Lim and Ye,
2017; Miyato et al., 2018), `wasserstein` (Arjovsky et al., 2017) and `relativistic` (Jolicoeur-Martineau, 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from fastgan import functional as FF
from fastgan._support.dtypes import upcast

__all__ = [
    "LOSSES",
    "AdversarialLoss",
    "gradient_penalty",
    "l1_penalty",
    "l2_penalty",
    "r1_penalty",
    "with_decay",
]

DiscriminatorLoss = Callable[[Tensor, Tensor, float, float], tuple[Tensor, Tensor]]
GeneratorLoss = Callable[[Tensor, Tensor | None], Tensor]
WeightedLoss = Callable[[Tensor, Tensor, float, float, Tensor, Tensor | None], tuple[Tensor, Tensor]]
Critic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AdversarialLoss:
    """The losses of discriminator and generator.

    Attributes:
        discriminator: maps (real logits, fake logits, real target, fake target) to (loss, statistics). The statistics
            are a float32 tensor (4,): the mean probability of real and of fake samples, the share of real logits
            above 0, and the share of fake logits below 0.
        generator: maps (fake logits, real logits or None) to the loss.
        paired: the generator's loss needs the real logits.
        smooths: the discriminator's loss has targets, so that label smoothing applies.
        weighted: `discriminator` with two more arguments, the weights (N,) of the real samples, and those of the fake
            samples or None. None for a loss that takes no weights.

    Example:
        >>> real, fake = torch.tensor([[2.0], [0.5]]), torch.tensor([[-1.0], [0.3]])
        >>> loss, statistics = LOSSES["hinge"].discriminator(real, fake, 1.0, 0.0)
        >>> loss, LOSSES["hinge"].generator(fake, None)
        (tensor(0.9000), tensor(0.3500))
    """

    discriminator: DiscriminatorLoss
    generator: GeneratorLoss
    paired: bool = False
    smooths: bool = False
    weighted: WeightedLoss | None = None


def _bce_discriminator(real: Tensor, fake: Tensor, real_target: float, fake_target: float) -> tuple[Tensor, Tensor]:
    return FF.discriminator_loss(real, fake, real_target=real_target, fake_target=fake_target)


def _bce_weighted(
    real: Tensor,
    fake: Tensor,
    real_target: float,
    fake_target: float,
    real_weight: Tensor,
    fake_weight: Tensor | None,
) -> tuple[Tensor, Tensor]:
    parts = ((real, real_target, real_weight), (fake, fake_target, fake_weight))
    losses = [
        FF.binary_cross_entropy_with_logits(
            upcast(logits), target, None if weight is None else weight.view(-1, *[1] * (logits.dim() - 1))
        )
        for logits, target, weight in parts
    ]
    return losses[0] + losses[1], _statistics(real, fake)


def _bce_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    """The non-saturating loss of Goodfellow et al. (2014), section 3."""
    return FF.generator_loss(fake)


def _least_squares_discriminator(
    real: Tensor, fake: Tensor, real_target: float, fake_target: float
) -> tuple[Tensor, Tensor]:
    """LSGAN, Mao et al. (2017), equation 9: targets 1 and 0."""
    real, fake = upcast(real), upcast(fake)
    loss = 0.5 * ((real - real_target).square().mean() + (fake - fake_target).square().mean())
    # With targets 1 and 0 a logit of 1/2 is undecided.
    return loss, _statistics(real - 0.5, fake - 0.5)


def _least_squares_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    return 0.5 * (upcast(fake) - 1).square().mean()


def _hinge_discriminator(real: Tensor, fake: Tensor, real_target: float, fake_target: float) -> tuple[Tensor, Tensor]:
    """The hinge loss of Lim and Ye (2017) and Miyato et al. (2018)."""
    real, fake = upcast(real), upcast(fake)
    loss = (1 - real).relu().mean() + (1 + fake).relu().mean()
    return loss, _statistics(real, fake)


def _wasserstein_discriminator(
    real: Tensor, fake: Tensor, real_target: float, fake_target: float
) -> tuple[Tensor, Tensor]:
    """The difference of the critic's means, Arjovsky et al. (2017)."""
    real, fake = upcast(real), upcast(fake)
    return fake.mean() - real.mean(), _statistics(real, fake)


def _negative_mean(fake: Tensor, real: Tensor | None) -> Tensor:
    return -upcast(fake).mean()


def _relativistic_discriminator(
    real: Tensor, fake: Tensor, real_target: float, fake_target: float
) -> tuple[Tensor, Tensor]:
    """RpGAN, Jolicoeur-Martineau (2018): each real sample against one fake one."""
    loss = FF.binary_cross_entropy_with_logits(upcast(real - fake), 1.0)
    return loss, _statistics(real, fake)


def _relativistic_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    assert real is not None  # as the loss is `paired`
    return FF.binary_cross_entropy_with_logits(upcast(fake - real), 1.0)


@torch.no_grad()
def _statistics(real: Tensor, fake: Tensor) -> Tensor:
    return torch.stack(
        (real.sigmoid().mean(), fake.sigmoid().mean(), (real > 0).float().mean(), (fake < 0).float().mean())
    ).float()


LOSSES: dict[str, AdversarialLoss] = {
    "bce": AdversarialLoss(_bce_discriminator, _bce_generator, smooths=True, weighted=_bce_weighted),
    "lsgan": AdversarialLoss(_least_squares_discriminator, _least_squares_generator, smooths=True),
    "hinge": AdversarialLoss(_hinge_discriminator, _negative_mean),
    "wasserstein": AdversarialLoss(_wasserstein_discriminator, _negative_mean),
    "relativistic": AdversarialLoss(_relativistic_discriminator, _relativistic_generator, paired=True),
}


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """WGAN-GP's penalty, the mean of (|gradient| - 1)^2 at points between real and fake samples.

    Gulrajani et al. (2017), equation 3, without the weight lambda. Each point is drawn uniformly from the line between
    a real and a fake sample, with the device's default generator.

    Args:
        critic: maps samples to logits; twice differentiable.
        real: (N, ...) real samples.
        fake: (N, ...) generated samples, which are converted to the dtype of `real`.

    Returns:
        A scalar that can be differentiated with respect to the critic's parameters.

    Example:
        >>> gradient_penalty(lambda x: 3 * x[:, :1], torch.zeros(4, 2), torch.ones(4, 2))  # (3 - 1)^2
        tensor(4.)
    """
    proportion = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
    fake = fake.detach().to(real.dtype)  # under autocast generated samples are float16 or bfloat16
    squares = _squared_gradients(critic, torch.lerp(fake, real, proportion))
    # At a gradient of exactly zero the square root has an infinite derivative; the clamp makes it 0.
    return (squares.clamp_min(1e-12).sqrt() - 1).square().mean()


def r1_penalty(critic: Critic, real: Tensor) -> Tensor:
    """R1: half the mean squared norm of D's gradient at real samples.

    Mescheder et al. (2018), equation 9, without the weight gamma.

    Args:
        critic: maps samples to logits; twice differentiable.
        real: (N, ...) real samples.

    Returns:
        A scalar that can be differentiated with respect to the critic's parameters.

    Example:
        >>> r1_penalty(lambda x: 3 * x[:, :1], torch.zeros(4, 2))  # 3^2 / 2
        tensor(4.5000)
    """
    return 0.5 * _squared_gradients(critic, real).mean()


def _squared_gradients(critic: Critic, points: Tensor) -> Tensor:
    """The squared norm (N,) of the gradient of each point's logit with respect to that point."""
    points = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    points.requires_grad_(False)  # the penalty's backward would make a gradient for them that nobody reads
    return upcast(gradient.flatten(1)).square().sum(1)


def l1_penalty(parameters: Iterable[Tensor]) -> Tensor:
    """The sum of the parameters' absolute values: the lasso's penalty (Tibshirani, 1996), without its weight.

    Forward and backward each make one multi-tensor (`torch._foreach`) pass over all parameters. The gradient is the
    sign, which is 0 at 0.

    Args:
        parameters: floating tensors of any shapes and dtypes, on one device.

    Returns:
        A scalar, float64 if one of the parameters is, otherwise float32. Each gradient has its parameter's dtype.

    Raises:
        ValueError: for no parameters.
        TypeError: for a parameter that is not floating.

    Example:
        >>> l1_penalty([torch.tensor([1.0, -2.0]), torch.tensor(3.0)])
        tensor(6.)
    """
    return _norms(1, _floating("l1_penalty", parameters)).sum()


def l2_penalty(parameters: Iterable[Tensor]) -> Tensor:
    """Half the sum of the parameters' squares: ridge's penalty (Hoerl and Kennard, 1970), without its weight.

    The gradient is the parameter itself, so a weight of this penalty acts as `weight_decay` does in `torch.optim.SGD`.
    Arguments, result and errors are those of :func:`l1_penalty`.

    Example:
        >>> l2_penalty([torch.tensor([1.0, -2.0]), torch.tensor(3.0)])
        tensor(7.)
    """
    return 0.5 * _norms(2, _floating("l2_penalty", parameters)).sum()


def with_decay(loss: Tensor, parameters: Sequence[Tensor], l1: float, l2: float) -> Tensor:
    """Add the weighted `l1_penalty` and `l2_penalty` of parameters to a loss.

    Args:
        loss: a scalar.
        parameters: the tensors to penalise.
        l1: weight of the L1 penalty; it is not computed if this is 0.
        l2: weight of the L2 penalty; it is not computed if this is 0.

    Example:
        >>> with_decay(torch.tensor(1.0), [torch.tensor([1.0, -2.0])], l1=0.1, l2=0.0)
        tensor(1.3000)
    """
    if l1 > 0:
        loss = loss + l1 * l1_penalty(parameters)
    if l2 > 0:
        loss = loss + l2 * l2_penalty(parameters)
    return loss


def _floating(name: str, parameters: Iterable[Tensor]) -> list[Tensor]:
    tensors = list(parameters)
    if not tensors:
        raise ValueError(f"{name}: expected at least one parameter, got none")
    for tensor in tensors:
        if not tensor.is_floating_point():
            raise TypeError(f"{name}: expected floating parameters, got {tensor.dtype}")
    return tensors


def _norms(order: int, tensors: list[Tensor]) -> Tensor:
    return cast(Tensor, _Norms.apply(order, *tensors))  # type: ignore[no-untyped-call]


class _Norms(torch.autograd.Function):
    """The sum of absolute values (order 1) or of squares (order 2) of each tensor, as one tensor (count,)."""

    @staticmethod
    def forward(ctx: Any, order: int, *tensors: Tensor) -> Tensor:
        ctx.order = order
        ctx.save_for_backward(*tensors)
        # Without `dtype` a float16 sum would overflow at 65,504.
        dtype = torch.float64 if any(t.dtype == torch.float64 for t in tensors) else torch.float32
        norms = torch.stack(torch._foreach_norm(tensors, order, dtype=dtype))
        return norms if order == 1 else norms.square()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors
        slopes = torch._foreach_sign(tensors) if ctx.order == 1 else torch._foreach_mul(tensors, 2.0)
        factors = [g.to(t.dtype) for g, t in zip(gradient.unbind(), tensors, strict=True)]
        return (None, *torch._foreach_mul(slopes, factors))
