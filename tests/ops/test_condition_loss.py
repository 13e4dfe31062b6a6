"""Op condition_loss: the loss and its gradient against the float64 reference."""

import numpy as np
import pytest
import torch

import reference
from fastgan import functional as FF

OPS = torch.ops.fastgan
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
LAYOUTS = [(2, (3, 1, 7)), (0, (2,)), (1, (40, 2, 5)), (0, (1,)), (5, (260, 4))]
ROWS = [1, 7, 8, 15, 16, 17, 33, 500]
# One rounding of the result to the dtype, and a few of the arithmetic.
RELATIVE = {torch.float32: 1e-6, torch.float64: 1e-14, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}


def batch(rows, layout, dtype, device, scale=3.0):
    generator = torch.Generator().manual_seed(0)
    x = scale * torch.randn(rows, layout[0] + sum(layout[1]), dtype=torch.float64, generator=generator)
    conditions = torch.randint(sum(layout[1]), (rows,), generator=generator)
    return x.to(device, dtype).requires_grad_(), conditions.to(device)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("rows", ROWS)
def test_loss_and_gradient_are_the_references(device, dtype, layout, rows):
    x, conditions = batch(rows, layout, dtype, device)
    loss = FF.condition_loss(x, conditions, *layout)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert (loss.dtype, loss.shape) == (wide, ())
    (gradient,) = torch.autograd.grad(2 * loss, x)
    assert (gradient.dtype, gradient.shape) == (dtype, x.shape)
    wanted, slope = reference.condition_loss(x.detach().double().cpu(), conditions.tolist(), *layout)
    np.testing.assert_allclose(loss.item(), wanted, rtol=RELATIVE[wide], atol=RELATIVE[wide])
    smallest = 2.0**-24 if dtype == torch.float16 else 0.0
    np.testing.assert_allclose(
        gradient.double().cpu(), 2 * slope, rtol=RELATIVE[dtype], atol=smallest + RELATIVE[wide] / rows
    )


def test_is_torchs_cross_entropy(device):
    x, conditions = batch(50, (2, (3, 4)), torch.float32, device)
    plain = [
        torch.nn.functional.cross_entropy(
            x[i : i + 1, 2:5] if c < 3 else x[i : i + 1, 5:], c.view(1) - (0 if c < 3 else 3)
        )
        for i, c in enumerate(conditions)
    ]
    torch.testing.assert_close(FF.condition_loss(x, conditions, 2, (3, 4)), torch.stack(plain).mean())


def test_no_rows_give_nan(device):
    x = torch.zeros(0, 5, device=device, requires_grad=True)
    loss = FF.condition_loss(x, torch.zeros(0, dtype=torch.int64, device=device), 1, (4,))
    assert loss.isnan()
    loss.backward()
    assert x.grad.shape == (0, 5)


def test_infinite_and_nan_logits(device):
    inf, nan = torch.inf, torch.nan
    x = torch.tensor([[nan, 0.0, -inf, 5.0, nan]], device=device, requires_grad=True)
    loss = FF.condition_loss(x, torch.tensor([0], device=device), 1, (2, 2))
    loss.backward()
    assert loss == 0
    assert x.grad.tolist() == [[0, 0, 0, 0, 0]]
    assert FF.condition_loss(x, torch.tensor([1], device=device), 1, (2, 2)) == inf
    assert FF.condition_loss(x, torch.tensor([2], device=device), 1, (2, 2)).isnan()
    assert FF.condition_loss(x, torch.tensor([3], device=device), 1, (2, 2)).isnan()


@pytest.mark.parametrize("layout", ["transposed", "sliced", "strided"])
def test_any_layout_gives_what_a_contiguous_tensor_gives(device, layout):
    base = torch.randn(9, 20, 18, device=device)
    x = {"transposed": base[0, :9, :9].t(), "sliced": base[0, :, 4:13], "strided": base[0, :, ::2]}[layout].detach()
    conditions = (torch.arange(2 * len(x), device=device) % 8)[::2]
    results = []
    for rows, places in ((x.requires_grad_(), conditions), (x.detach().contiguous().requires_grad_(), conditions * 1)):
        loss = FF.condition_loss(rows, places, 1, (3, 5))
        results.append((loss.detach(), *torch.autograd.grad(loss, rows)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_leading_dimensions_count_rows(device):
    x = torch.randn(3, 4, 9, device=device)
    conditions = torch.arange(12, device=device).view(3, 4) % 8
    flat = FF.condition_loss(x.flatten(0, 1), conditions.flatten(), 1, (3, 5))
    assert torch.equal(FF.condition_loss(x, conditions, 1, (3, 5)), flat)


def test_the_number_of_threads_changes_no_bit():
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        x, conditions = batch(4001, (3, (20, 30, 4)), torch.float32, "cpu")
        loss = FF.condition_loss(x, conditions, 3, (20, 30, 4))
        results.append((loss.detach(), *torch.autograd.grad(loss, x)))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_gradients_of_first_and_second_order(device):
    x, conditions = batch(4, (2, (3, 1, 4)), torch.float64, device, 0.5)

    def loss(x, factor):
        return factor * FF.condition_loss(x, conditions, 2, (3, 1, 4))

    factor = torch.tensor(1.5, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (x, factor))
    assert torch.autograd.gradgradcheck(loss, (x, factor))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_opcheck(device, dtype):
    x, conditions = batch(5, (1, (3, 2)), dtype, device)
    torch.library.opcheck(OPS.condition_loss.default, (x, conditions, 1, (3, 2)))
    grad = torch.ones_like(FF.condition_loss(x, conditions, 1, (3, 2))).detach().requires_grad_()
    torch.library.opcheck(OPS.condition_loss_backward.default, (grad, x, conditions, 1, (3, 2)))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_as_one_graph(device, dynamic):
    def run(x, conditions):
        return FF.condition_loss(x * 2, conditions, 1, (3, 2))

    compiled = torch.compile(run, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for rows in (6, 11):
        x, conditions = batch(rows, (1, (3, 2)), torch.float32, device)
        got, wanted = (f(x, conditions) for f in (compiled, run))
        torch.testing.assert_close(got, wanted)
        torch.testing.assert_close(torch.autograd.grad(got, x), torch.autograd.grad(wanted, x))


def test_torch_func_transforms(device):
    x, conditions = batch(6, (1, (3, 2)), torch.float32, device)
    (gradient,) = torch.autograd.grad(FF.condition_loss(x, conditions, 1, (3, 2)), x)
    x = x.detach()
    torch.testing.assert_close(torch.func.grad(FF.condition_loss)(x, conditions, 1, (3, 2)), gradient)
    losses = torch.func.vmap(lambda row, place: FF.condition_loss(row, place, 1, (3, 2)))(x, conditions)
    torch.testing.assert_close(losses.mean(), FF.condition_loss(x, conditions, 1, (3, 2)))


def test_float32_under_autocast(device):
    x, conditions = batch(6, (1, (3, 2)), torch.bfloat16, device)
    with torch.autocast(device, dtype=torch.bfloat16):
        loss = FF.condition_loss(x, conditions, 1, (3, 2))
    assert loss.dtype == torch.float32
    loss.backward()
    assert x.grad.dtype == torch.bfloat16


def test_forward_mode_is_an_error_that_names_jvp():
    with torch.autograd.forward_ad.dual_level():
        x = torch.autograd.forward_ad.make_dual(torch.zeros(1, 3), torch.ones(1, 3))
        with pytest.raises(NotImplementedError, match=r"condition_loss: expected no forward-mode.*torch\.func\.jvp"):
            FF.condition_loss(x, torch.zeros(1, dtype=torch.int64), 0, (3,))


@pytest.mark.parametrize("place", [-1, 4, 2**40])
def test_a_condition_out_of_range(device, place):
    x, conditions = batch(20, (1, (3, 1)), torch.float32, device)
    conditions[17] = place
    grad = torch.ones((), device=device)
    if device == "cpu":
        with pytest.raises(IndexError, match=r"condition_loss: expected conditions in \[0, 4\), got others"):
            FF.condition_loss(x, conditions, 1, (3, 1))
        with pytest.raises(IndexError, match=r"condition_loss_backward: expected conditions in \[0, 4\), got others"):
            OPS.condition_loss_backward(grad, x, conditions, 1, (3, 1))
    else:
        assert FF.condition_loss(x, conditions, 1, (3, 1)).isnan()
        gradient = OPS.condition_loss_backward(grad, x, conditions, 1, (3, 1))
        assert gradient.isnan().all(1).nonzero().tolist() == [[17]]


def test_bad_input_is_named():
    x, conditions = batch(3, (1, (4,)), torch.float32, "cpu")
    with pytest.raises(ValueError, match=r"condition_loss: expected input of shape \[..., 4\], got \[3, 5\]"):
        FF.condition_loss(x, conditions, 1, (3,))
    with pytest.raises(ValueError, match=r"condition_loss: expected conditions of shape \[3\], got \[2\]"):
        FF.condition_loss(x, conditions[:2], 1, (4,))
    with pytest.raises(TypeError, match="condition_loss: expected conditions of dtype int64, got Int"):
        FF.condition_loss(x, conditions.int(), 1, (4,))
    with pytest.raises(TypeError, match=r"condition_loss: expected input of dtype float32.*got Long"):
        FF.condition_loss(x.long(), conditions, 1, (4,))
    with pytest.raises(RuntimeError, match="condition_loss: expected conditions on cpu, got meta"):
        FF.condition_loss(x, conditions.to("meta"), 1, (4,))
    with pytest.raises(ValueError, match=r"condition_loss_backward: expected grad of shape \[\], got \[3\]"):
        OPS.condition_loss_backward(torch.ones(3), x, conditions, 1, (4,))
    with pytest.raises(TypeError, match="condition_loss_backward: expected grad to be a tensor, got None"):
        OPS.condition_loss_backward(None, x, conditions, 1, (4,))
