"""Op column_heads: rows and gradients against the float64 reference."""

import numpy as np
import pytest
import torch

import reference
from fastgan import functional as FF

OPS = torch.ops.fastgan
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
LAYOUTS = [(2, (3, 1, 7)), (0, (2,)), (3, ()), (1, (40, 2, 5)), (0, (1,)), (5, (260, 4))]
ROWS = [0, 1, 7, 8, 15, 16, 17, 33, 500]
EPS = {torch.float32: 2.0**-23, torch.float64: 2.0**-52, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}


def outputs(rows, layout, dtype, device, scale=3.0):
    width = layout[0] + sum(layout[1])
    generator = torch.Generator().manual_seed(0)
    x = scale * torch.randn(rows, width, dtype=torch.float64, generator=generator)
    return x.to(device, dtype)


def expected(x, layout, tau, seed=0, offset=0):
    x = x.detach().double().cpu().numpy()
    noise = reference.gumbel(len(x), sum(layout[1]), seed, offset)
    return reference.column_heads(x, *layout, tau, noise)


def close(got, wanted, dtype, factor):
    """Within the rounding of the dtype, and `factor` roundings of the arithmetic."""
    arithmetic = EPS[torch.float64 if dtype == torch.float64 else torch.float32]
    rounding = 0.0 if dtype in (torch.float32, torch.float64) else EPS[dtype]
    smallest = 2.0**-24 if dtype == torch.float16 else 0.0
    got = got.detach().double().cpu().numpy()
    np.testing.assert_allclose(got, wanted, rtol=rounding, atol=smallest + factor * arithmetic)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("rows", ROWS)
def test_rows_and_gradient_are_the_references(device, dtype, layout, rows):
    tau = 0.2
    x = outputs(rows, layout, dtype, device).requires_grad_()
    y = FF.column_heads(x, *layout, tau=tau, seed=5, offset=2**40 + 1)
    assert (y.dtype, y.shape, y.is_contiguous()) == (dtype, x.shape, True)
    # Logits of up to 150 are rounded by as many half units, which is the relative error of their power.
    close(y, expected(x, layout, tau, 5, 2**40 + 1), dtype, 200)
    grad = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(device, dtype)
    (got,) = torch.autograd.grad(y, x, grad)
    # From the rounded result, so that only the arithmetic of the backward is judged. Terms reach 4 / tau.
    wanted = reference.column_heads_gradient(grad.double().cpu(), y.detach().double().cpu(), *layout, tau)
    assert (got.dtype, got.shape, got.is_contiguous()) == (dtype, x.shape, True)
    close(got, wanted, dtype, 100 * (1 + max(layout[1], default=0)) ** 0.5)


@pytest.mark.parametrize(("seed", "offset"), [(0, 0), (1, 2**40 + 3), (2**63 - 1, 2**63 - 1)])
def test_noise_is_the_references_for_any_seed(device, seed, offset):
    """Equal outputs show the noise: in float64 to the last digits of its 32 bits."""
    layout = (1, (6, 3))
    y = FF.column_heads(
        torch.zeros(70, 10, device=device, dtype=torch.float64), *layout, tau=1, seed=seed, offset=offset
    )
    np.testing.assert_allclose(y.cpu().numpy(), expected(torch.zeros(70, 10), layout, 1, seed, offset), rtol=1e-13)


def test_noise_depends_on_row_and_entry_alone(device):
    x = outputs(40, (2, (3, 4)), torch.float32, device)
    y = FF.column_heads(x, 2, (3, 4), seed=3)
    assert torch.equal(FF.column_heads(x[:21], 2, (3, 4), seed=3), y[:21])
    assert torch.equal(FF.column_heads(x[:, :5], 2, (3,), seed=3), y[:, :5])
    assert torch.equal(FF.column_heads(x[:, 2:], 0, (3, 4), seed=3), y[:, 2:])
    for other in ({"seed": 4}, {"seed": 3 + 2**32}, {"seed": 3, "offset": 1}, {"seed": 3, "offset": 2**32}):
        assert not torch.equal(FF.column_heads(x, 2, (3, 4), **other)[:, 2:], y[:, 2:])


def test_the_largest_entry_is_a_draw_from_the_softmax(device):
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0], device=device)
    y = FF.column_heads(logits.expand(200_000, -1), 0, (4,), seed=9)
    found = torch.bincount(y.argmax(1), minlength=4) / len(y)
    # Five standard errors of the most uncertain share: false alarms in fewer than 1 of 400,000 runs.
    torch.testing.assert_close(found, logits.softmax(0), atol=0.0056, rtol=0)
    torch.testing.assert_close(y.sum(1), torch.ones(len(y), device=device), atol=1e-6, rtol=0)


def test_tanh_is_accurate_for_tiny_and_large_numbers(device):
    positive = torch.logspace(-30, 2, 3000, dtype=torch.float64)
    x = torch.cat([positive, -positive, torch.zeros(1)])[:, None].float()
    y = FF.column_heads(x.to(device), 1, ()).double().cpu()
    torch.testing.assert_close(y, x.double().tanh(), rtol=2.5e-7, atol=0.0)  # 2 units of the last place
    special = torch.tensor([[torch.inf], [-torch.inf], [torch.nan]], device=device)
    assert FF.column_heads(special, 1, ()).flatten().tolist()[:2] == [1.0, -1.0]
    assert FF.column_heads(special, 1, ())[2].isnan()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_number_that_is_not_finite_stays_in_its_segment(device, dtype):
    inf, nan = torch.inf, torch.nan
    x = torch.tensor([[1.0, nan, 0, 1, 2], [1, 0, 1, inf, 2], [nan, -inf, 0, -inf, 2], [1, -inf, -inf, 0, 0]])
    y = FF.column_heads(x.to(device, dtype), 1, (2, 2), seed=1).cpu()
    assert y.isnan().tolist() == [
        [False, True, True, False, False],
        [False, False, False, True, True],
        [True, False, False, False, False],
        [False, True, True, False, False],
    ]
    assert y[2, 1:].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("size", [1e-30, 1e4, 3e38])
def test_outputs_of_any_size_give_finite_rows_and_gradients(device, size):
    x = outputs(64, (2, (3, 1, 7)), torch.float32, device, 1.0).clamp(-1, 1).mul(size).requires_grad_()
    y = FF.column_heads(x, 2, (3, 1, 7), tau=1.0, seed=0)
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    assert y.isfinite().all()
    assert gradient.isfinite().all()


def test_leading_dimensions_count_rows(device):
    x = torch.randn(3, 5, 9, device=device)
    y = FF.column_heads(x, 1, (3, 5), seed=1)
    assert torch.equal(y.flatten(0, 1), FF.column_heads(x.flatten(0, 1), 1, (3, 5), seed=1))
    assert torch.equal(FF.column_heads(x[0, 0], 1, (3, 5), seed=1), y[0, 0])


@pytest.mark.parametrize("layout", ["transposed", "sliced", "expanded", "strided"])
def test_any_layout_gives_what_a_contiguous_tensor_gives(device, layout):
    base = torch.randn(9, 20, 18, device=device)
    x = {
        "transposed": base[0, :9, :9].t(),
        "sliced": base[0, :, 4:13],
        "expanded": base[0, :1, :9].expand(20, 9),
        "strided": base[0, :, ::2],
    }[layout].detach()
    leaf, copy = x.requires_grad_(), x.detach().contiguous().requires_grad_()
    results = []
    for rows in (leaf, copy):
        y = FF.column_heads(rows, 1, (3, 5), seed=1)
        incoming = torch.arange(9.0, device=device).expand_as(y)
        results.append((y.detach(), *torch.autograd.grad(y, rows, incoming)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_the_number_of_threads_changes_no_bit():
    x = torch.randn(4001, 57)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        leaf = x.clone().requires_grad_()
        y = FF.column_heads(leaf, 3, (20, 30, 4), seed=1)
        y.square().sum().backward()
        results.append((y.detach(), leaf.grad))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize("layout", [(2, (3, 1, 4)), (0, (2,)), (3, ())], ids=str)
def test_gradients_of_first_and_second_order(device, layout):
    x = outputs(3, layout, torch.float64, device, 0.5).requires_grad_()

    def heads(x):
        return FF.column_heads(x, *layout, tau=0.7, seed=1)

    assert torch.autograd.gradcheck(heads, x)
    assert torch.autograd.gradgradcheck(heads, x)


def test_third_derivatives_are_those_of_torchs_operations(device):
    x = outputs(3, (1, (3,)), torch.float64, device, 0.5).requires_grad_()
    noise = torch.from_numpy(reference.gumbel(3, 3, 1, 0)).to(device)

    def composed(x):
        return torch.cat([x[:, :1].tanh(), ((x[:, 1:] + noise) / 0.7).softmax(1)], 1)

    results = []
    for heads in (composed, lambda x: FF.column_heads(x, 1, (3,), tau=0.7, seed=1)):
        value = heads(x).pow(3).sum()
        for _ in range(3):
            (gradient,) = torch.autograd.grad(value, x, create_graph=True)
            value = gradient.pow(2).sum()
        results.append(gradient)
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_opcheck(device, dtype):
    x = outputs(5, (1, (3, 2)), dtype, device).requires_grad_()
    torch.library.opcheck(OPS.column_heads.default, (x, 1, (3, 2), 0.2, 7, 0, None))
    y = OPS.column_heads(x, 1, (3, 2), 0.2, 7, 0, None).detach().requires_grad_()
    torch.library.opcheck(OPS.column_heads_backward.default, (torch.ones_like(y).requires_grad_(), y, 1, (3, 2), 0.2))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_as_one_graph(device, dynamic):
    def run(x, seed):
        return FF.column_heads(x * 2, 1, (3, 2), seed=seed) + 1

    compiled = torch.compile(run, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for rows, seed in ((6, 5), (11, 9)):
        x = torch.randn(rows, 6, device=device, requires_grad=True)
        got, wanted = (f(x, seed) for f in (compiled, run))
        assert torch.equal(got, wanted)
        got, wanted = (torch.autograd.grad(y.square().sum(), x) for y in (got, wanted))
        torch.testing.assert_close(got, wanted)


def test_torch_func_transforms(device):
    x = torch.randn(4, 6, device=device)

    def loss(x):
        return FF.column_heads(x, 1, (3, 2), tau=0.5, seed=1).square().sum()

    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    torch.testing.assert_close(torch.func.grad(loss)(x), gradient)
    rows = torch.func.vmap(lambda row: FF.column_heads(row, 1, (3, 2), seed=1))(x)
    torch.testing.assert_close(rows, torch.stack([FF.column_heads(row, 1, (3, 2), seed=1) for row in x]))
    with pytest.raises(RuntimeError, match="column_heads: expected an explicit seed under vmap"):
        torch.func.vmap(lambda row: FF.column_heads(row, 1, (3, 2)))(x)


def test_forward_mode_is_an_error_that_names_jvp():
    with torch.autograd.forward_ad.dual_level():
        x = torch.autograd.forward_ad.make_dual(torch.zeros(1, 3), torch.ones(1, 3))
        with pytest.raises(NotImplementedError, match=r"column_heads: expected no forward-mode.*torch\.func\.jvp"):
            FF.column_heads(x, 0, (3,))


def test_autocast_keeps_the_inputs_dtype(device):
    with torch.autocast(device, dtype=torch.bfloat16):
        for dtype in (torch.float32, torch.bfloat16):
            assert FF.column_heads(torch.ones(2, 3, device=device, dtype=dtype), 1, (2,)).dtype == dtype


def test_bad_input_is_named():
    x = torch.zeros(2, 5)
    for arguments, message in {
        (1, (3,)): r"column_heads: expected input of shape \[..., 4\], got \[2, 5\]",
        (-1, (6,)): "column_heads: expected scalars >= 0, got -1",
        (1, (4, 0)): r"column_heads: expected widths of at least 1, got \[4, 0\]",
    }.items():
        with pytest.raises(ValueError, match=message):
            FF.column_heads(x, *arguments)
        with pytest.raises(ValueError, match=message):
            OPS.column_heads(x, *arguments, 0.2, None, 0, None)
    for tau in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="column_heads: expected tau above 0, got"):
            FF.column_heads(x, 1, (4,), tau=tau)
    with pytest.raises(ValueError, match="expected 0 <= seed < 2"):
        FF.column_heads(x, 1, (4,), seed=-1)
    with pytest.raises(ValueError, match="expected a seed with offset 3, got none"):
        FF.column_heads(x, 1, (4,), offset=3)
    with pytest.raises(ValueError, match="expected seed or generator, got both"):
        FF.column_heads(x, 1, (4,), seed=1, generator=torch.Generator())
    with pytest.raises(TypeError, match=r"column_heads: expected input of dtype float32.*got Long"):
        FF.column_heads(x.long(), 1, (4,))
    with pytest.raises(ValueError, match=r"column_heads_backward: expected output of shape \[2, 5\], got \[1, 5\]"):
        OPS.column_heads_backward(x, x[:1], 1, (4,), 0.2)
    with pytest.raises(RuntimeError, match="column_heads_backward: expected output of dtype Float, got Double"):
        OPS.column_heads_backward(x, x.double(), 1, (4,), 0.2)
    with pytest.raises(TypeError, match="column_heads_backward: expected output to be a tensor, got None"):
        OPS.column_heads_backward(x, None, 1, (4,), 0.2)
