"""L1 and L2 penalties against float64 formulas."""

import numpy as np
import pytest
import torch
from torch import nn

from fastgan.losses import l1_penalty, l2_penalty

PENALTIES = {
    # value and gradient of one array
    "l1": (l1_penalty, lambda x: np.abs(x).sum(), np.sign),
    "l2": (l2_penalty, lambda x: (x**2).sum() / 2, lambda x: x),
}


def _parameters(dtype: torch.dtype) -> list[nn.Parameter]:
    shapes = [(128, 64), (64,), (3, 2, 5, 5), (), (0,)]
    return [nn.Parameter(torch.randn(shape).to(dtype)) for shape in shapes] + [
        nn.Parameter(torch.zeros(4, dtype=dtype))
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_and_its_gradient_follow_the_formula(name, dtype):
    penalty, value, gradient = PENALTIES[name]
    parameters = _parameters(dtype)
    loss = penalty(parameters)
    (3 * loss).backward()
    arrays = [p.detach().double().numpy() for p in parameters]
    # The sum of some 8,000 float32 terms of one sign: the error is about the root of their number times 6e-8.
    assert loss.item() == pytest.approx(sum(value(x) for x in arrays), rel=1e-12 if dtype == torch.float64 else 5e-6)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    for parameter, x in zip(parameters, arrays, strict=True):
        assert parameter.grad.dtype == dtype
        # One product, rounded once in the parameter's dtype.
        rounding = torch.finfo(dtype).eps
        np.testing.assert_allclose(parameter.grad.double().numpy(), 3 * gradient(x), rtol=rounding)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_is_twice_differentiable(name):
    parameters = [p for p in _parameters(torch.float64) if p.numel() < 200]
    assert torch.autograd.gradgradcheck(lambda *p: PENALTIES[name][0](p), parameters[:2])


@pytest.mark.parametrize("name", PENALTIES)
def test_a_sum_beyond_float16_is_finite(name):
    penalty, value, _ = PENALTIES[name]
    x = torch.full((70_000,), 2.0, dtype=torch.float16)
    assert penalty([x]).item() == pytest.approx(value(x.double().numpy()), rel=1e-6)  # float32's rounding


def test_dtypes_may_be_mixed():
    parameters = [torch.full((3,), 2.0, dtype=torch.float16), torch.full((2,), -1.0, dtype=torch.float64)]
    assert l1_penalty(parameters).item() == 8
    assert l2_penalty(parameters).item() == pytest.approx(7, rel=1e-14)  # a root, squared


def test_a_generator_of_parameters_is_enough():
    model = nn.Linear(3, 2)
    want = sum(p.abs().sum().item() for p in model.parameters())
    assert l1_penalty(model.parameters()).item() == pytest.approx(want, rel=1e-6)


def test_no_parameters_and_integer_parameters_are_refused():
    with pytest.raises(ValueError, match="l1_penalty: expected at least one parameter, got none"):
        l1_penalty([])
    with pytest.raises(TypeError, match=r"l2_penalty: expected floating parameters, got torch\.int64"):
        l2_penalty([torch.ones(3, dtype=torch.int64)])
