"""Ops gan_loss and generator_loss: losses and statistics against the float64 reference."""

import numpy as np
import pytest
import torch

import reference
from fastgan import functional as FF

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SIZES = [(0, 0), (1, 1), (7, 9), (128, 127), (129, 0), (0, 8), (4095, 1), (20_000, 40_001)]
SETTINGS = [
    {},
    {"real_target": 0.9},
    {"real_target": 0.9, "fake_target": 0.1, "real_weight": 0.5, "fake_weight": 2.0},
]
# Losses and statistics are rounded once to float32 (float64). The arithmetic before adds about three roundings.
RELATIVE = {torch.float64: 2.0**-50}
# Gradients are rounded to the logits' dtype. Those in float16 are often denormal.
GRADIENT = {torch.float64: 2.0**-50, torch.float32: 6e-7, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}
DENORMAL = {torch.float16: 2.0**-24}


def close(got, expected, relative, absolute=0.0):
    got = got.detach().cpu().double().numpy()
    np.testing.assert_allclose(got, expected, rtol=relative, atol=absolute, equal_nan=True)


def logits(size, dtype, device):
    return (torch.randn(size, device=device) * 4).to(dtype).requires_grad_()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: f"{len(settings)} settings")
def test_discriminator_loss_and_statistics(device, dtype, sizes, settings):
    real, fake = (logits(size, dtype, device) for size in sizes)
    loss, statistics = FF.discriminator_loss(real, fake, **settings)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert (loss.dtype, loss.shape, loss.requires_grad) == (wide, (), True)
    assert (statistics.dtype, statistics.shape, statistics.requires_grad) == (torch.float32, (4,), False)
    (2 * loss).backward()
    sides = [
        reference.gan_side(
            x.detach().cpu().double(),
            settings.get(f"{kind}_target", default),
            settings.get(f"{kind}_weight", 1.0),
            default,
        )
        for kind, x, default in (("real", real, 1), ("fake", fake, 0))
    ]
    close(loss, sides[0][0] + sides[1][0], RELATIVE.get(dtype, 6e-7))
    close(statistics, [sides[0][2], sides[1][2], sides[0][3], sides[1][3]], 6e-7)
    for x, side in zip((real, fake), sides, strict=True):
        assert x.grad.dtype == dtype
        scale = 3e-7 / max(x.numel(), 1) if dtype != torch.float64 else 1e-18  # of targets between 0 and 1
        close(x.grad, 2 * side[1], GRADIENT[dtype], max(4 * scale, DENORMAL.get(dtype, 0.0)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [0, 1, 9, 129, 40_001])
@pytest.mark.parametrize(("target", "saturating"), [(1.0, False), (0.9, False), (1.0, True)])
def test_generator_loss(device, dtype, size, target, saturating):
    fake = logits(size, dtype, device)
    loss = FF.generator_loss(fake, target=target, saturating=saturating)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    loss.backward()
    side = reference.gan_side(
        fake.detach().cpu().double(), 0.0 if saturating else target, -1.0 if saturating else 1.0, False
    )
    close(loss, side[0], RELATIVE.get(dtype, 6e-7))
    scale = 3e-7 / max(size, 1) if dtype != torch.float64 else 1e-18
    close(fake.grad, side[1], GRADIENT[dtype], max(scale, DENORMAL.get(dtype, 0.0)))


@pytest.mark.parametrize("mean", [-60.0, -20.0, 0.0, 20.0, 60.0])
def test_losses_keep_their_accuracy_where_they_are_tiny(device, mean):
    """The losses of a confident, correct discriminator are tiny; there 1 + exp(-|x|) rounds to 1."""
    real = torch.randn(5000, device=device) * 2 + mean
    loss, _ = FF.discriminator_loss(real, -real)
    x = real.cpu().double()
    expected = reference.gan_side(x, 1.0, 1.0, True)[0] + reference.gan_side(-x, 0.0, 1.0, False)[0]
    close(loss, expected, 4e-7, 1e-30)


def test_losses_of_single_logits_are_accurate(device):
    for x in torch.cat([torch.linspace(-100, 100, 401), torch.logspace(-8, 0, 50)]).to(device).split(1):
        expected = reference.gan_side(x.cpu().double(), 1.0, 1.0, True)[0]
        close(FF.generator_loss(x), expected, 4e-7, 1e-30)
        close(FF.binary_cross_entropy_with_logits(x, 1.0), expected, 4e-7, 1e-30)


def test_equals_two_plain_losses(device):
    real, fake = torch.randn(8, 1, 6, 6, device=device), torch.randn(5, 36, device=device)
    plain = torch.nn.functional.binary_cross_entropy_with_logits
    loss, statistics = FF.discriminator_loss(real, fake, real_target=0.9)
    expected = plain(real, torch.full_like(real, 0.9)) + plain(fake, torch.zeros_like(fake))
    torch.testing.assert_close(loss, expected)
    shares = [real.sigmoid().mean(), fake.sigmoid().mean(), (real > 0).float().mean(), (fake < 0).float().mean()]
    torch.testing.assert_close(statistics, torch.stack(shares))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_infinite_and_nan_logits(device, dtype):
    inf = float("inf")
    real = torch.tensor([inf, 0.0], device=device, dtype=dtype, requires_grad=True)
    fake = torch.tensor([-inf, 0.0], device=device, dtype=dtype, requires_grad=True)
    loss, statistics = FF.discriminator_loss(real, fake)
    loss.backward()
    torch.testing.assert_close(loss.item(), float(np.log(2)), rtol=1e-6, atol=0.0)
    assert statistics.tolist() == [0.75, 0.25, 0.5, 0.5]
    assert (real.grad.tolist(), fake.grad.tolist()) == ([0.0, -0.25], [0.0, 0.25])
    assert FF.discriminator_loss(-real, fake)[0] == inf
    loss, statistics = FF.discriminator_loss(real * float("nan"), fake)
    assert loss.isnan()
    assert statistics.isnan().tolist() == [True, False, False, False]
    assert statistics[2] == 0


@pytest.mark.parametrize("layout", ["channels_last", "sliced", "expanded"])
def test_every_layout(device, layout):
    def laid_out(x):
        if layout == "channels_last":
            return x.contiguous(memory_format=torch.channels_last)
        return torch.cat([x, x], 3)[..., :5] if layout == "sliced" else x[:, :1].expand_as(x)

    real, fake = (laid_out(torch.randn(3, 4, 5, 5, device=device)).requires_grad_() for _ in range(2))
    loss, _ = FF.discriminator_loss(real, fake)
    grads = torch.autograd.grad(loss, (real, fake))
    for x, grad, is_real in ((real, grads[0], 1), (fake, grads[1], 0)):
        side = reference.gan_side(x.detach().cpu().double(), is_real, 1.0, is_real)
        close(grad, side[1], 6e-7, 1e-9)


def test_the_number_of_threads_changes_no_bit():
    real, fake = torch.randn(120_001), torch.randn(90_007)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        leaves = real.clone().requires_grad_(), fake.clone().requires_grad_()
        loss, statistics = FF.discriminator_loss(*leaves)
        loss.backward()
        results.append((loss.detach(), statistics, FF.generator_loss(fake), leaves[0].grad, leaves[1].grad))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize("of", [(True, True), (True, False), (False, True)])
def test_gradients_and_double_gradients(device, of):
    real = torch.randn(4, 2, dtype=torch.float64, device=device, requires_grad=of[0])
    fake = torch.randn(5, dtype=torch.float64, device=device, requires_grad=of[1])

    def discriminator(real, fake):
        return FF.discriminator_loss(real, fake, real_target=0.9, fake_target=0.2, real_weight=0.7, fake_weight=1.3)[0]

    def generator(real, fake):
        return FF.generator_loss(fake, target=0.8) + FF.generator_loss(real * 1, saturating=True)

    for run in (discriminator, generator):
        assert torch.autograd.gradcheck(run, (real, fake))
        assert torch.autograd.gradgradcheck(run, (real, fake))


def test_an_unrolled_step_matches_plain_torch(device):
    """Unrolled GANs (Metz et al., 2017) differentiate G's loss through D's update."""
    plain = torch.nn.functional.binary_cross_entropy_with_logits
    x, z = (torch.randn(9, 3, dtype=torch.float64, device=device) for _ in range(2))
    results = []
    for fused in (True, False):
        d = torch.linspace(-1, 1, 3, dtype=torch.float64, device=device, requires_grad=True)
        g = torch.linspace(1, 2, 3, dtype=torch.float64, device=device, requires_grad=True)
        real, fake = x @ d, (z * g) @ d
        if fused:
            loss = FF.discriminator_loss(real, fake, real_target=0.9)[0]
        else:
            loss = plain(real, torch.full_like(real, 0.9)) + plain(fake, torch.zeros_like(fake))
        (step,) = torch.autograd.grad(loss, d, create_graph=True)
        unrolled = (z * g) @ (d - 0.5 * step)
        loss = FF.generator_loss(unrolled) if fused else plain(unrolled, torch.ones_like(unrolled))
        results.append(torch.autograd.grad(loss, (d, g)))
    for fused, expected in zip(*results, strict=True):
        torch.testing.assert_close(fused, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_opcheck(device, dtype):
    ops = torch.ops.fastgan
    real, fake = logits((3, 2), dtype, device), logits(7, dtype, device)
    grad = torch.ones((), device=device, dtype=FF.generator_loss(fake).dtype, requires_grad=True)
    torch.library.opcheck(ops.gan_loss.default, (real, fake, 0.9, 0.1, 1.0, 2.0))
    torch.library.opcheck(ops.gan_loss_backward.default, (grad, real, fake, 0.9, 0.1, 1.0, 2.0))
    torch.library.opcheck(ops.generator_loss.default, (fake, 1.0, -1.0))
    torch.library.opcheck(ops.generator_loss_backward.default, (grad, fake, 1.0, -1.0))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_as_one_graph(device, dynamic):
    def run(real, fake):
        loss, statistics = FF.discriminator_loss(real * 2, fake, real_target=0.9)
        return loss + FF.generator_loss(fake) + statistics.sum()

    compiled = torch.compile(run, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for sizes in ((6, 4), (11, 5)):
        inputs = [torch.randn(size, device=device, requires_grad=True) for size in sizes]
        torch.testing.assert_close(compiled(*inputs), run(*inputs))
        got, expected = (torch.autograd.grad(f(*inputs), inputs) for f in (compiled, run))
        torch.testing.assert_close(got, expected)


def test_float32_under_autocast(device):
    real, fake = (torch.randn(9, device=device).bfloat16().requires_grad_() for _ in range(2))
    with torch.autocast(device, dtype=torch.bfloat16):
        loss, statistics = FF.discriminator_loss(real, fake)
        generator = FF.generator_loss(fake)
    assert {loss.dtype, statistics.dtype, generator.dtype} == {torch.float32}
    assert torch.equal(loss, FF.discriminator_loss(real, fake)[0])
    loss.backward()
    assert real.grad.dtype == torch.bfloat16


def test_torch_func_transforms(device):
    real, fake = torch.randn(6, device=device), torch.randn(4, device=device)
    leaves = real.clone().requires_grad_(), fake.clone().requires_grad_()
    loss, statistics = FF.discriminator_loss(*leaves, real_target=0.9, fake_weight=2.0)
    loss.backward()

    def run(real, fake):
        return FF.discriminator_loss(real, fake, real_target=0.9, fake_weight=2.0)

    grads, aux = torch.func.grad(run, argnums=(0, 1), has_aux=True)(real, fake)
    torch.testing.assert_close(grads, tuple(leaf.grad for leaf in leaves))
    torch.testing.assert_close(aux, statistics)


def test_forward_mode_is_an_error_that_names_jvp():
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        x = forward_ad.make_dual(torch.zeros(3), torch.ones(3))
        with pytest.raises(NotImplementedError, match=r"generator_loss: expected no forward-mode.*torch\.func\.jvp"):
            FF.generator_loss(x)
        with pytest.raises(NotImplementedError, match=r"fastgan::gan_loss: expected no forward-mode.*torch\.func\.jvp"):
            FF.discriminator_loss(x, torch.zeros(3))


def test_a_forward_mode_gradient_of_the_gradient_is_an_error():
    losses = (
        FF.generator_loss,
        lambda x: FF.discriminator_loss(x, x)[0],
        lambda x: FF.binary_cross_entropy_with_logits(x, 1.0),
        lambda x: FF.binary_cross_entropy(x.sigmoid(), 1.0),
    )
    x = torch.zeros(3, requires_grad=True)
    for loss in losses:
        with torch.autograd.forward_ad.dual_level():
            grad = torch.autograd.forward_ad.make_dual(torch.ones(()), torch.ones(()))
            with pytest.raises(NotImplementedError, match=r"_backward: expected no forward-mode gradient"):
                torch.autograd.grad(loss(x), x, grad)


def test_the_graph_is_freed_and_can_be_kept(device):
    real, fake = (torch.randn(5, device=device, requires_grad=True) for _ in range(2))
    loss = FF.discriminator_loss(real, fake)[0] + FF.generator_loss(fake)
    loss.backward(retain_graph=True)
    first = real.grad.clone()
    loss.backward()
    torch.testing.assert_close(real.grad, 2 * first)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


@pytest.mark.parametrize(
    ("op", "arguments", "argument"),
    [
        ("gan_loss_backward", (None, torch.zeros(2), torch.zeros(2), 1.0, 0.0, 1.0, 1.0), "grad"),
        ("generator_loss_backward", (None, torch.zeros(2), 1.0, 1.0), "grad"),
        ("bias_act_dropout_backward", (torch.zeros(2), None, (1,), 0.2, 1.0, True, True), "state"),
    ],
)
def test_a_missing_tensor_is_named(op, arguments, argument):
    with pytest.raises(TypeError, match=f"fastgan::{op}: expected {argument} to be a tensor, got None"):
        getattr(torch.ops.fastgan, op)(*arguments)


def test_bad_input_is_named():
    x = torch.zeros(3)
    with pytest.raises(ValueError, match=r"generator_loss: expected no target with saturating=True, got 0.9"):
        FF.generator_loss(x, target=0.9, saturating=True)
    with pytest.raises(TypeError, match=r"fastgan::gan_loss: expected real_logits of dtype float32.*got Int"):
        FF.discriminator_loss(x.int(), x)
    with pytest.raises(TypeError, match=r"fastgan::generator_loss: expected fake_logits of dtype float32.*got Long"):
        FF.generator_loss(x.long())
    with pytest.raises(RuntimeError, match=r"fastgan::gan_loss: expected fake_logits of dtype Float.*got Double"):
        FF.discriminator_loss(x, x.double())
    with pytest.raises(RuntimeError, match="fastgan::gan_loss: expected fake_logits on cpu, got meta"):
        FF.discriminator_loss(x, x.to("meta"))
    with pytest.raises(ValueError, match=r"fastgan::gan_loss_backward: expected grad of shape \[\], got \[3\]"):
        torch.ops.fastgan.gan_loss_backward(x, x, x, 1.0, 0.0, 1.0, 1.0)
