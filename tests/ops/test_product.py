"""Op product: matrix products in parts, with their gradients, for any number of threads."""

import os

import pytest
import torch

from fastgan._support.process import product_threads, threads
from fastgan.models.products import Linear, divides_products, product

OPS = torch.ops.fastgan
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
# Below and above what is divided: 1, 2, 4 and 16 parts, with a last one that is shorter.
SHAPES = [(1, 1, 1), (33, 7, 9), (499, 121, 256), (1001, 256, 257), (2500, 600, 700)]
RELATIVE = {torch.float32: 1e-4, torch.float64: 1e-12, torch.float16: 2e-2, torch.bfloat16: 8e-2}


@pytest.fixture(params=[0, 3], ids=["torch's product", "parts"])
def divided(request):
    """Leave products to torch, or divide them between three threads."""
    with threads(request.param, products_only=request.param > 0):
        yield


def matrices(shape, dtype, device="cpu"):
    m, k, n = shape
    generator = torch.Generator().manual_seed(0)
    made = (torch.randn(size, generator=generator, dtype=torch.float64) for size in ((m, k), (k, n), (n,)))
    return [x.to(device, dtype) for x in made]


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", [0, 2])
def test_product_and_gradients_are_torchs(device, dtype, shape, with_bias, count):
    inputs = [x.requires_grad_() for x in matrices(shape, dtype, device)[: 3 if with_bias else 2]]
    wide = [x.detach().double().requires_grad_() for x in inputs]
    with threads(count, products_only=count > 0):
        result = product(*inputs)
    expected = wide[0] @ wide[1] + (wide[2] if with_bias else 0)
    assert result.dtype == dtype
    assert result.is_contiguous()
    along = torch.randn_like(expected)
    gradients = torch.autograd.grad(result, inputs, along.to(dtype))
    expected_gradients = torch.autograd.grad(expected, wide, along.to(dtype).double())
    for found, wanted in zip((result, *gradients), (expected, *expected_gradients), strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), wanted, rtol=RELATIVE[dtype], atol=RELATIVE[dtype] * shape[1] ** 0.5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_bits_do_not_depend_on_the_threads(dtype, shape):
    a, b, bias = matrices(shape, dtype)
    torch.set_num_threads(1)
    wanted = [OPS.product(a, b, bias, 1), OPS.product(a.t().contiguous().t(), b, None, 1)]
    for count in (2, 3, 5, 16):
        assert torch.equal(OPS.product(a, b, bias, count), wanted[0])
        assert torch.equal(OPS.product(a.t().contiguous().t(), b, None, count), wanted[1])


def test_gradients_are_differentiable(device, divided):
    inputs = [x.requires_grad_() for x in matrices((3, 4, 5), torch.float64, device)]
    assert torch.autograd.gradcheck(product, inputs)
    assert torch.autograd.gradgradcheck(product, inputs)
    assert torch.autograd.gradgradcheck(
        lambda a, b: product(a.t(), b.t()), [x.detach().t().requires_grad_() for x in inputs[:2]]
    )


def test_an_output_may_be_a_part_of_another_matrix(device, divided):
    a, b, bias = matrices((700, 200, 128), torch.float32, device)
    whole = torch.zeros(700, 300, device=device)
    part = whole[:, 100:228]
    assert product(a, b, bias, out=part) is part
    assert torch.equal(part, product(a, b, bias))
    assert whole[:, :100].count_nonzero() == whole[:, 228:].count_nonzero() == 0


def test_the_gradient_of_a_weight_has_its_layout():
    layer = Linear(300, 200)
    layer(torch.randn(400, 300)).sum().backward()
    assert layer.weight.grad.is_contiguous()
    a, weight = torch.randn(9, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    a_gradient, gradient = torch.autograd.grad(product(a, weight.t()).square().sum(), [a, weight])
    assert gradient.stride() == weight.stride()
    expected = torch.autograd.grad((a @ weight.t()).square().sum(), [a, weight])
    torch.testing.assert_close((a_gradient, gradient), expected)


def test_nothing_to_multiply(device, divided):
    for m, k, n in ((0, 3, 4), (3, 0, 4), (3, 4, 0)):
        a, b = torch.ones(m, k, device=device, requires_grad=True), torch.ones(k, n, device=device)
        result = product(a, b, torch.ones(n, device=device))
        assert torch.equal(result, torch.ones(m, n, device=device) * (1 if k == 0 else k + 1))
        result.sum().backward()
        assert a.grad.shape == (m, k)


@pytest.mark.parametrize(
    ("a", "b", "bias", "error", "message"),
    [
        ((2, 3), (4, 5), None, ValueError, "expected a of shape [m, k] and b of shape [k, n], got [2, 3] and [4, 5]"),
        ((2, 3, 1), (3, 5), None, ValueError, "expected a of shape [m, k] and b of shape [k, n]"),
        ((2, 3), (3, 5), (4,), ValueError, "expected bias of shape [5], got [4]"),
    ],
)
def test_other_shapes_are_named(device, a, b, bias, error, message):
    given = [torch.ones(shape, device=device) for shape in (a, b)]
    with pytest.raises(error) as raised:
        product(*given, None if bias is None else torch.ones(bias, device=device))
    assert f"fastgan::product: {message}" in str(raised.value)


def test_other_dtypes_threads_and_outputs_are_named():
    a, b, bias = matrices((2, 3, 4), torch.float32)
    with pytest.raises(TypeError, match="fastgan::product: expected b of dtype Float, got Double"):
        product(a, b.double())
    with pytest.raises(TypeError, match="fastgan::product: expected bias of dtype Float, got BFloat16"):
        product(a, b, bias.bfloat16())
    with pytest.raises(TypeError, match="fastgan::product: expected a of dtype"):
        product(a.int(), b.int())
    with pytest.raises(ValueError, match="fastgan::product: expected threads >= 0, got -1"):
        OPS.product(a, b, None, -1)
    with pytest.raises(ValueError, match=r"fastgan::product_out: expected output of shape \[2, 4\], got \[2, 5\]"):
        product(a, b, out=torch.zeros(2, 5))
    with pytest.raises(RuntimeError, match="fastgan::product_out: expected inputs that need no gradient"):
        product(a.requires_grad_(), b, out=torch.zeros(2, 4))


def test_a_linear_layer_is_torchs_and_follows_autocast(device, divided):
    torch.manual_seed(0)
    layer = Linear(40, 30).to(device)
    x = torch.randn(20, 40, device=device)
    expected = torch.nn.functional.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected)
    with torch.autocast(device, torch.bfloat16):
        result = layer(x)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, rtol=0.05, atol=0.05)
    result.sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    assert divides_products(torch.nn.ReLU(), torch.nn.Sequential(layer))
    assert not divides_products(torch.nn.Linear(2, 2))


def test_products_alone_have_the_threads():
    torch.set_num_threads(3)
    with threads(0, products_only=True):
        assert (torch.get_num_threads(), product_threads()) == (1, 3)
        with threads(2):
            assert (torch.get_num_threads(), product_threads()) == (2, 0)
        with threads(0, products_only=True):
            assert (torch.get_num_threads(), product_threads()) == (1, 3)
        assert (torch.get_num_threads(), product_threads()) == (1, 3)
    assert (torch.get_num_threads(), product_threads()) == (3, 0)


def test_a_forked_child_gets_what_its_parent_gets():
    torch.set_num_threads(1)
    a, b, bias = matrices((1001, 256, 257), torch.float32)
    expected = OPS.product(a, b, bias, 16)
    for _ in range(50):  # as its helpers start at once, and torch's settings of a thread may race after a fork
        child = os.fork()  # its parent's helpers are not in it
        if child == 0:
            os._exit(0 if torch.equal(OPS.product(a, b, bias, 16), expected) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_compiles(divided):
    layer = Linear(8, 4)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    x = torch.randn(5, 8, requires_grad=True)
    torch.testing.assert_close(compiled(x), layer(x))
    compiled(x).sum().backward()
    assert x.grad is not None
