"""The composed results of a table's columns are the kernels' own, within their roundings."""

import numpy as np
import pytest
import torch

import reference
from fastgan import functional as FF
from fastgan.functional import composed
from fastgan.functional.composed_columns import gumbel_noise

LAYOUTS = [(2, (3, 1, 7)), (0, (2,)), (1, (40, 2, 5)), (3, ())]


@pytest.fixture
def without_kernels(monkeypatch):
    monkeypatch.setattr(composed, "_KERNEL_DEVICES", frozenset({"meta"}))
    monkeypatch.setattr(composed, "_warned", {"cpu"})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("seed", "offset"), [(0, 0), (2**63 - 1, 2**40 + 3)])
def test_noise_is_the_references(dtype, seed, offset):
    noise = gumbel_noise((33, 2, 9), seed, offset, torch.device("cpu"), dtype)
    expected = reference.gumbel(66, 9, seed, offset).reshape(33, 2, 9)
    slack = 2e-6 if dtype == torch.float32 else 1e-13
    large = expected > 0
    np.testing.assert_allclose(noise.numpy()[large], expected[large], rtol=slack, atol=slack)
    # Small noise comes from numbers near 1, which float32 rounds: its distribution function is close.
    np.testing.assert_allclose(np.exp(-np.exp(-noise.double().numpy())), np.exp(-np.exp(-expected)), atol=slack)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_rows_and_gradients_are_the_kernels(request, layout, dtype):
    x = 2 * torch.randn(20, layout[0] + sum(layout[1]))
    results = []
    for _ in range(2):
        leaf = x.to(dtype).requires_grad_()
        y = FF.column_heads(leaf, *layout, tau=0.5, seed=3, offset=1)
        results.append((y, *torch.autograd.grad(y.square().sum(), leaf)))
        request.getfixturevalue("without_kernels")
    slack = {"rtol": 1e-2, "atol": 2e-2} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(*results, **slack)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_conditions_loss_and_gradients_are_the_kernels(request, dtype):
    x, conditions = 2 * torch.randn(20, 13), torch.arange(20) % 11
    results = []
    for _ in range(2):
        leaf = x.to(dtype).requires_grad_()
        loss = FF.condition_loss(leaf, conditions, 2, (3, 1, 7))
        results.append((loss, *torch.autograd.grad(loss, leaf)))
        request.getfixturevalue("without_kernels")
    torch.testing.assert_close(*results)


def test_without_a_seed_the_generator_gives_the_kernels_seed(request):
    x = torch.zeros(20, 7, dtype=torch.float64)
    results = []
    for _ in range(2):
        torch.manual_seed(4)
        results.append(FF.column_heads(x, 1, (6,), tau=1.0))
        request.getfixturevalue("without_kernels")
    torch.testing.assert_close(*results, rtol=1e-13, atol=0)


def test_what_is_not_floating_is_refused(without_kernels):
    with pytest.raises(TypeError, match=r"column_heads: expected input of dtype float32.*got torch.int64"):
        FF.column_heads(torch.zeros(2, 3, dtype=torch.int64), 1, (2,))
    with pytest.raises(TypeError, match=r"condition_loss: expected input of dtype float32.*got torch.int64"):
        FF.condition_loss(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, dtype=torch.int64), 1, (2,))
