"""Adversarial losses and gradient penalties: what D and G minimise, given D's logits.

`LOSSES` has the losses by name: `bce` (Goodfellow et al., 2014), `lsgan` (Mao et al., 2017), `hinge` (Lim and Ye, 2017;
Miyato et al., 2018), `wasserstein` (Arjovsky et al., 2017) and `relativistic` (Jolicoeur-Martineau, 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from fastgan import functional as FF

__all__ = [
    "LOSSES",
    "AdversarialLoss",
    "gradient_penalty",
    "l1_penalty",
    "l2_penalty",
    "r1_penalty",
]

DiscriminatorLoss = Callable[[Tensor, Tensor, float, float], tuple[Tensor, Tensor]]
GeneratorLoss = Callable[[Tensor, Tensor | None], Tensor]
WeightedLoss = Callable[[Tensor, Tensor, float, float, Tensor, Tensor | None], tuple[Tensor, Tensor]]
Critic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AdversarialLoss:
    """A pair of losses.

    Attributes:
        discriminator: (real logits, fake logits, real target, fake target) to (loss, statistics), the latter a
            float32 tensor (4,): mean probability on real and on fake samples, share of real logits
            above 0, share of fake logits below 0.
        generator: (fake logits, real logits or None) to loss.
        paired: the generator's loss compares with real logits.
        smooths: the discriminator's loss has targets, which can be smoothed.
        weighted: `discriminator` with a weight (N,) for each real sample, and each fake one or None, after its
            arguments; None where a loss has no such form.

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
            _wide(logits), target, None if weight is None else weight.view(-1, *[1] * (logits.dim() - 1))
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
    wide_real, wide_fake = _wide(real), _wide(fake)
    loss = 0.5 * ((wide_real - real_target).square().mean() + (wide_fake - fake_target).square().mean())
    # A logit of 1/2 is this loss's even chance.
    return loss, _statistics(wide_real - 0.5, wide_fake - 0.5)


def _least_squares_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    return 0.5 * (_wide(fake) - 1).square().mean()


def _hinge_discriminator(real: Tensor, fake: Tensor, real_target: float, fake_target: float) -> tuple[Tensor, Tensor]:
    """The hinge loss of Lim and Ye (2017) and Miyato et al. (2018)."""
    wide_real, wide_fake = _wide(real), _wide(fake)
    loss = (1 - wide_real).relu().mean() + (1 + wide_fake).relu().mean()
    return loss, _statistics(wide_real, wide_fake)


def _wasserstein_discriminator(
    real: Tensor, fake: Tensor, real_target: float, fake_target: float
) -> tuple[Tensor, Tensor]:
    """The critic's difference, Arjovsky et al. (2017)."""
    wide_real, wide_fake = _wide(real), _wide(fake)
    return wide_fake.mean() - wide_real.mean(), _statistics(wide_real, wide_fake)


def _negative_mean(fake: Tensor, real: Tensor | None) -> Tensor:
    return -_wide(fake).mean()


def _relativistic_discriminator(
    real: Tensor, fake: Tensor, real_target: float, fake_target: float
) -> tuple[Tensor, Tensor]:
    """RpGAN, Jolicoeur-Martineau (2018): each real sample against one fake one."""
    loss = FF.binary_cross_entropy_with_logits(_wide(real - fake), 1.0)
    return loss, _statistics(real, fake)


def _relativistic_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    assert real is not None  # the step gives it to paired losses
    return FF.binary_cross_entropy_with_logits(_wide(fake - real), 1.0)


def _wide(x: Tensor) -> Tensor:
    """In float32, or float64 as it is: the halves would lose the sum."""
    return x if x.dtype == torch.float64 else x.float()


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

    Gulrajani et al. (2017), equation 3, without its weight. Each pair of samples is mixed in a
    proportion drawn uniformly from the device's default generator.

    Args:
        critic: samples to logits, twice differentiable.
        real: (N, ...) real samples.
        fake: as many generated ones, taken to the dtype of `real`.

    Returns:
        A scalar that can be differentiated with respect to the critic's parameters.

    Example:
        >>> gradient_penalty(lambda x: 3 * x[:, :1], torch.zeros(4, 2), torch.ones(4, 2))  # (3 - 1)^2
        tensor(4.)
    """
    proportion = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
    fake = fake.detach().to(real.dtype)  # a generator's under autocast are halves
    squares = _squared_gradients(critic, torch.lerp(fake, real, proportion))
    # A gradient of exactly zero has no direction; without the floor its square root has slope infinity.
    return (squares.clamp_min(1e-12).sqrt() - 1).square().mean()


def r1_penalty(critic: Critic, real: Tensor) -> Tensor:
    """R1: half the mean squared norm of D's gradient at real samples, without its weight gamma.

    Mescheder et al. (2018), equation 9.

    Args:
        critic: samples to logits, twice differentiable.
        real: (N, ...) real samples.

    Returns:
        A scalar that can be differentiated with respect to the critic's parameters.

    Example:
        >>> r1_penalty(lambda x: 3 * x[:, :1], torch.zeros(4, 2))  # 3^2 / 2
        tensor(4.5000)
    """
    return 0.5 * _squared_gradients(critic, real).mean()


def _squared_gradients(critic: Critic, points: Tensor) -> Tensor:
    """The squared norm (N,) of the gradient of each point's logit by that point."""
    points = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return _wide(gradient.flatten(1)).square().sum(1)


def l1_penalty(parameters: Iterable[Tensor]) -> Tensor:
    """The sum of the parameters' magnitudes, without its weight: the lasso's penalty (Tibshirani, 1996).

    One multi-tensor (`torch._foreach`) pass over all parameters forward and one backward. The gradient is the
    sign, 0 at 0.

    Args:
        parameters: floating tensors of any shapes and dtypes, one device.

    Returns:
        A scalar, float64 if a parameter is, else float32. Gradients come back in each parameter's dtype.

    Raises:
        ValueError: for no parameters.
        TypeError: for one that is not floating.

    Example:
        >>> l1_penalty([torch.tensor([1.0, -2.0]), torch.tensor(3.0)])
        tensor(6.)
    """
    return _norms(1, _floating("l1_penalty", parameters)).sum()


def l2_penalty(parameters: Iterable[Tensor]) -> Tensor:
    """Half the sum of the parameters' squares, without its weight: ridge's penalty (Hoerl and Kennard, 1970).

    The gradient is the parameter itself, so that the weight is what SGD calls `weight_decay`. Arguments, result and
    errors are those of :func:`l1_penalty`.

    Example:
        >>> l2_penalty([torch.tensor([1.0, -2.0]), torch.tensor(3.0)])
        tensor(7.)
    """
    return 0.5 * _norms(2, _floating("l2_penalty", parameters)).sum()


def with_decay(loss: Tensor, parameters: Sequence[Tensor], l1: float, l2: float) -> Tensor:
    """A loss and, where their weights are not 0, `l1_penalty` and `l2_penalty` of the parameters."""
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
    """Each tensor's sum of magnitudes (order 1) or of squares (order 2), as one tensor (count,)."""

    @staticmethod
    def forward(ctx: Any, order: int, *tensors: Tensor) -> Tensor:
        ctx.order = order
        ctx.save_for_backward(*tensors)
        # Told to widen: float16's sum would overflow at 65,504.
        wide = torch.float64 if any(t.dtype == torch.float64 for t in tensors) else torch.float32
        norms = torch.stack(torch._foreach_norm(tensors, order, dtype=wide))
        return norms if order == 1 else norms.square()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors
        slopes = torch._foreach_sign(tensors) if ctx.order == 1 else torch._foreach_mul(tensors, 2.0)
        factors = [g.to(t.dtype) for g, t in zip(gradient.unbind(), tensors, strict=True)]
        return (None, *torch._foreach_mul(slopes, factors))
