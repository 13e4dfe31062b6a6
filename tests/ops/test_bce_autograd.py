"""Op bce_with_logits: higher derivatives, autocast, torch.compile, torch.func, operator checks and errors."""

import warnings

import pytest
import torch

import fastgan.nn as fnn
from fastgan import functional as FF

F = torch.nn.functional
OPS = torch.ops.fastgan


def doubles(*shape, device="cpu"):
    return torch.randn(shape, dtype=torch.float64, device=device, requires_grad=True)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("target", ["tensor", 0.9])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pos_weighted", [False, True])
def test_gradients_and_double_gradients(device, reduction, target, weighted, pos_weighted):
    x = doubles(5, 3, device=device)
    inputs = {"input": x, "target": doubles(5, 3, device=device)} if target == "tensor" else {"input": x}
    inputs |= {"weight": doubles(3, device=device)} if weighted else {}
    inputs |= {"pos_weight": doubles(5, 1, device=device)} if pos_weighted else {}

    def run(*tensors):
        terms = {"target": target, **dict(zip(inputs, tensors, strict=True))}
        return FF.binary_cross_entropy_with_logits(**terms, reduction=reduction)

    assert torch.autograd.gradcheck(run, tuple(inputs.values()))
    assert torch.autograd.gradgradcheck(run, tuple(inputs.values()))


def test_third_derivative(device):
    x = torch.linspace(-3, 3, 7, dtype=torch.float64, device=device, requires_grad=True)
    value = FF.binary_cross_entropy_with_logits(x, 0.3, reduction="sum")
    for _ in range(3):
        (value,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    s = torch.sigmoid(x)
    torch.testing.assert_close(value, s * (1 - s) * (1 - 2 * s))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_double_gradients_of_narrow_dtypes(device, dtype):
    x = torch.randn(50, device=device, dtype=dtype, requires_grad=True)
    (grad,) = torch.autograd.grad(FF.binary_cross_entropy_with_logits(x, 1.0, reduction="sum"), x, create_graph=True)
    (second,) = torch.autograd.grad(grad.sum(), x)
    assert second.dtype == dtype
    s = torch.sigmoid(x.detach().double())
    # Computed in float32 and rounded once.
    torch.testing.assert_close(second.double(), s * (1 - s), rtol=torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16], ids=str)
@pytest.mark.parametrize("target", ["tensor", None])
def test_opcheck(device, dtype, target):
    x = torch.randn(3, 5, device=device).to(dtype).requires_grad_()
    wide = torch.promote_types(dtype, torch.float32)
    weights = [torch.rand(3, 5, device=device, dtype=wide, requires_grad=True) for _ in range(2)]
    terms = (torch.rand_like(x) if target == "tensor" else None, 0.5, *weights)
    torch.library.opcheck(OPS.bce_with_logits.default, (x, *terms))
    torch.library.opcheck(OPS.bce_with_logits_reduced.default, (x, *terms, True))
    for grad in (torch.randn((), device=device, dtype=dtype), torch.randn_like(x)):
        torch.library.opcheck(OPS.bce_with_logits_backward.default, (grad.requires_grad_(), x, *terms, False))


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_as_one_graph(device, reduction, dynamic):
    def run(x, target):
        return FF.binary_cross_entropy_with_logits(x * 2, target, reduction=reduction).sum()

    torch._dynamo.reset()  # all parameters together are more than it compiles of one function
    compiled = torch.compile(run, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for size in (6, 11):
        x, target = torch.randn(size, device=device, requires_grad=True), torch.rand(size, device=device)
        torch.testing.assert_close(compiled(x, target), run(x, target))
        (got,) = torch.autograd.grad(compiled(x, target), x)
        (expected,) = torch.autograd.grad(run(x, target), x)
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_autocast_computes_in_float32(device, reduction):
    x, target = torch.randn(9, device=device, requires_grad=True), torch.rand(9, device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        got = FF.binary_cross_entropy_with_logits(x.bfloat16(), target.bfloat16(), reduction=reduction)
    assert got.dtype == torch.float32
    expected = FF.binary_cross_entropy_with_logits(x.bfloat16().float(), target.bfloat16().float(), reduction=reduction)
    assert torch.equal(got, expected)
    got.sum().backward()
    assert x.grad.dtype == torch.float32


@pytest.mark.parametrize("target", ["tensor", 1.0])
def test_torch_func_transforms(device, target):
    x = torch.randn(6, 4, device=device)
    t = torch.rand(6, 4, device=device) if target == "tensor" else target
    leaf = x.clone().requires_grad_()
    FF.binary_cross_entropy_with_logits(leaf, t).backward()
    got = torch.func.grad(lambda x: FF.binary_cross_entropy_with_logits(x, t))(x)
    torch.testing.assert_close(got, leaf.grad)
    if target == "tensor":
        each = torch.func.vmap(FF.binary_cross_entropy_with_logits)(x, t)
        expected = torch.stack([FF.binary_cross_entropy_with_logits(a, b) for a, b in zip(x, t, strict=True)])
        torch.testing.assert_close(each, expected)


def test_on_meta_tensors():
    x = torch.empty(3, 4, device="meta", requires_grad=True)
    loss = FF.binary_cross_entropy_with_logits(x, 1.0)
    assert (loss.shape, loss.device.type) == ((), "meta")
    (grad,) = torch.autograd.grad(loss, x)
    assert grad.shape == x.shape


@pytest.mark.parametrize(
    ("input", "target"),
    [
        (torch.float32, torch.float64),
        (torch.float64, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.bfloat16),
    ],
    ids=str,
)
def test_the_targets_dtype_comes_out_as_from_torch(device, input, target):
    x, t = torch.randn(9, device=device).to(input), torch.rand(9, device=device).to(target)
    got = FF.binary_cross_entropy_with_logits(x, t, weight=torch.rand(9, device=device))
    assert got.dtype == F.binary_cross_entropy_with_logits(x, t).dtype
    with torch.autocast(device, dtype=torch.bfloat16):
        got, plain = FF.binary_cross_entropy_with_logits(x, t), F.binary_cross_entropy_with_logits(x, t)
    assert got.dtype == plain.dtype


def test_the_module_acts_as_torchs(device):
    settings = {"weight": torch.rand(4, device=device), "pos_weight": torch.rand(4, device=device), "reduction": "sum"}
    ours, plain = fnn.BCEWithLogitsLoss(**settings), torch.nn.BCEWithLogitsLoss(**settings)
    assert isinstance(ours, torch.nn.BCEWithLogitsLoss)
    plain.load_state_dict(ours.state_dict())
    x, target = torch.randn(3, 4, device=device), torch.rand(3, 4, device=device)
    torch.testing.assert_close(ours(x, target), plain(x, target))
    torch.testing.assert_close(ours(x, 1.0), plain(x, torch.ones_like(x)))


X = torch.zeros(8, 1)
BAD = {
    "shape": (ValueError, r"target of shape \[8, 1\].*got \[8\]", lambda f: f(X, torch.zeros(8))),
    "reduction": (ValueError, "summ is not a valid value for reduction", lambda f: f(X, 1.0, reduction="summ")),
    "integer input": (TypeError, "input of dtype float32.*got torch.int64$", lambda f: f(X.long(), 1.0)),
    "integers of both": (TypeError, "got torch.int64$", lambda f: f(X.long(), X.long())),
    "swapped": (TypeError, "got torch.int64; input and target may be swapped", lambda f: f(X.long(), X)),
    "swapped bool": (TypeError, "got torch.bool; input and target may be swapped", lambda f: f(X.bool(), X.double())),
    "integer target": (RuntimeError, "target of dtype Float, got Long", lambda f: f(X, X.long())),
    "weight's shape": (RuntimeError, r"weight .*\[8, 1\].*got \[3\]", lambda f: f(X, 1.0, weight=torch.ones(3))),
    "device": (RuntimeError, "target on cpu, got meta", lambda f: f(X, torch.zeros(8, 1, device="meta"))),
    "torch's words": (ValueError, r"Target size \(.*\) must be the same as input size", lambda f: f(X, X[0])),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_name_op_and_argument(case):
    error, message, call = BAD[case]
    with pytest.raises(error, match=message) as raised:
        call(FF.binary_cross_entropy_with_logits)
    assert case == "reduction" or "fastgan::b" in str(raised.value)


@pytest.mark.parametrize("name", ["BCELoss", "BCEWithLogitsLoss"])
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64], ids=str)
def test_the_modules_refuse_integer_input_as_torchs_do(name, dtype):
    for target in (X, X.to(dtype)):
        with pytest.raises(RuntimeError):
            getattr(torch.nn, name)()(X.to(dtype), target)
        with pytest.raises(TypeError, match="expected input of dtype float32"):
            getattr(fnn, name)()(X.to(dtype), target)


def test_pos_weight_errors():
    with pytest.raises(RuntimeError, match=r"pos_weight .*\[8, 1\].*got \[2, 2\]"):
        FF.binary_cross_entropy_with_logits(X, 1.0, pos_weight=torch.ones(2, 2))
    with pytest.raises(
        ValueError, match=r"bce_with_logits_backward: expected grad of shape \[\] or \[8, 1\], got \[8\]"
    ):
        OPS.bce_with_logits_backward(torch.zeros(8), X, None, 1.0, None, None, False)


@pytest.mark.parametrize("loss", [FF.binary_cross_entropy, FF.binary_cross_entropy_with_logits])
def test_forward_mode_by_any_argument_is_an_error_that_names_jvp(loss):
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(torch.zeros(8, 1), torch.ones(8, 1))
        for terms in ({"input": dual}, {"target": dual}, {"weight": dual}, {"pos_weight": dual}):
            if loss is FF.binary_cross_entropy and "pos_weight" in terms:
                continue
            with pytest.raises(NotImplementedError, match=r"expected no forward-mode gradient.*torch\.func\.jvp"):
                loss(**({"input": X, "target": X} | terms))


def test_old_reduction_names_still_warn():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        FF.binary_cross_entropy_with_logits(X, 1.0, reduction="elementwise_mean")
    assert any("deprecated" in str(w.message) for w in caught)


@pytest.mark.filterwarnings("ignore:size_average and reduce")
@pytest.mark.parametrize("settings", [{"size_average": False}, {"reduce": False}, {"reduce": True}], ids=str)
@pytest.mark.parametrize("name", ["BCELoss", "BCEWithLogitsLoss"])
def test_size_average_and_reduce_are_torchs(name, settings):
    p, t = torch.rand(3, 4), torch.rand(3, 4)
    function = {"BCELoss": "binary_cross_entropy", "BCEWithLogitsLoss": "binary_cross_entropy_with_logits"}[name]
    expected = getattr(torch.nn, name)(**settings)(p, t)
    torch.testing.assert_close(getattr(fnn, name)(**settings)(p, t), expected)
    torch.testing.assert_close(getattr(FF, function)(p, t, **settings), expected)
    by_place = (None, settings.get("size_average"), settings.get("reduce"))
    torch.testing.assert_close(getattr(FF, function)(p, t, *by_place), getattr(F, function)(p, t, *by_place))
