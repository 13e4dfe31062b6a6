"""No input crashes an op: it computes, or raises an error that names the op and the argument.

Each run has the same 2,400 cases.
"""

import re

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastgan  # noqa: F401 - registers the ops
import fuzz_inputs as inputs

OPS = torch.ops.fastgan
# All registered ops. dir(OPS) has only those that were used already.
NAMES = sorted({name[9:] for name in torch._C._dispatch_get_all_op_names() if re.match(r"fastgan::\w+$", name)})
CASES = settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError)


def attempt(op, *arguments):
    """Return the op's outputs as a tuple, or None for an error, which must name the op and an argument."""
    try:
        result = op(*arguments)
    except REFUSALS as error:
        text = str(error)
        if "There were no tensor arguments to this function" in text or "utils/pybind.cpp" in text:
            return None  # raised by torch before it chooses an op
        name = re.sub(r"(_reduced|_)$", "", op._schema.name)  # variants of an op use its name in messages
        assert name in text, f"no op named: {text}"
        names = {argument.name for argument in op._schema.arguments} | {"target"}
        words = set(re.findall(r"\w+", text.replace(name, "")))
        assert names & words, f"no argument of {name} named: {text}"
        return None
    return result if isinstance(result, tuple) else (result,)


def assert_like(output, x):
    assert output.shape == x.shape
    assert output.dtype == x.dtype
    assert output.device == x.device


@st.composite
def activations(draw):
    x = draw(inputs.tensors())
    channel = draw(st.integers(-5, 5))
    size = x.shape[channel] if -x.dim() <= channel < x.dim() and draw(st.integers(0, 4)) else 3
    bias = draw(st.one_of(st.none(), inputs.tensors(size=(size,)), inputs.tensors()))
    return (
        x,
        bias,
        channel,
        draw(inputs.numbers),
        draw(inputs.numbers),
        draw(st.one_of(st.none(), inputs.numbers)),
        draw(inputs.probabilities),
        draw(st.booleans()),
        draw(inputs.seeds),
        draw(st.sampled_from([0, 1, 2**62, 2**63 - 1, -1])),
        None,
        draw(st.booleans()),
    )


@CASES
@given(activations())
def test_bias_act_dropout(arguments):
    outputs = attempt(OPS.bias_act_dropout.default, *arguments)
    if outputs is None:
        return
    output, state = outputs
    assert_like(output, arguments[0])
    assert state.dtype == torch.uint8
    threshold = int(arguments[6] * 65536 + 0.5)
    if threshold == 65536 and not output.is_meta:
        assert not output.any()  # every element is dropped, NaN and infinity included


@CASES
@given(activations())
def test_bias_act_dropout_in_place_writes_all_or_nothing(arguments):
    x = arguments[0]
    before = x.clone() if not x.is_meta else None
    outputs = attempt(OPS.bias_act_dropout_.default, *arguments)
    if outputs is None and before is not None:
        assert torch.equal(x.nan_to_num(), before.nan_to_num())


@CASES
@given(st.data())
def test_bias_act_dropout_backward(data):
    grad = data.draw(inputs.tensors())
    planes, octets = data.draw(st.integers(0, 2)), (grad.numel() + 7) // 8
    state = data.draw(
        st.one_of(
            st.just(torch.full((planes, octets if planes else 0), 0xA5, dtype=torch.uint8, device=grad.device)),
            st.just(torch.zeros(max(0, octets - 1), planes, dtype=torch.uint8).t()),
            inputs.tensors(dtype=torch.uint8),
            inputs.tensors(),
        )
    )
    stride = data.draw(
        st.one_of(
            st.just(list(grad.stride())),
            st.just(list(grad.contiguous().stride())),
            st.lists(st.integers(-3, 40), max_size=5),
            st.lists(st.sampled_from([2**40, 2**62, -(2**62), 0, 1]), min_size=grad.dim(), max_size=grad.dim()),
        )
    )
    both = data.draw(st.booleans()), data.draw(st.booleans())
    number = data.draw(inputs.numbers), data.draw(inputs.numbers)
    outputs = attempt(OPS.bias_act_dropout_backward.default, grad, state, stride, *number, *both)
    if outputs is not None:
        assert_like(outputs[0], grad)


def weight_of(tensor):
    """Weights have the dtype of the arithmetic."""
    return tensor.float() if isinstance(tensor, torch.Tensor) and tensor.dtype.itemsize == 2 else tensor


@CASES
@given(st.data())
@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("logits", [False, True])
def test_bce(logits, reduced, data):
    x = data.draw(inputs.tensors())
    target = data.draw(inputs.near(x))
    weight, pos_weight = (weight_of(data.draw(inputs.near(x))) for _ in range(2))
    name = ("bce_with_logits" if logits else "bce") + ("_reduced" if reduced else "")
    arguments = [x, target, data.draw(inputs.probabilities), weight, *([pos_weight] if logits else [])]
    arguments += [data.draw(st.booleans())] if reduced else []
    outputs = attempt(getattr(OPS, name).default, *arguments)
    if outputs is not None:
        assert_like(outputs[0], x.new_empty(()) if reduced else x)


@CASES
@given(st.data())
@pytest.mark.parametrize("logits", [False, True])
def test_bce_backward(logits, data):
    x = data.draw(inputs.tensors())
    target = data.draw(inputs.near(x))
    weight, pos_weight = (weight_of(data.draw(inputs.near(x))) for _ in range(2))
    grad = data.draw(st.one_of(inputs.tensors(size=()), inputs.tensors(size=x.shape), inputs.tensors()))
    op = (OPS.bce_with_logits_backward if logits else OPS.bce_backward).default
    arguments = [grad, x, target, data.draw(inputs.probabilities), weight, *([pos_weight] if logits else [])]
    outputs = attempt(op, *arguments, data.draw(st.booleans()))
    if outputs is not None:
        assert_like(outputs[0], x)


@CASES
@given(st.data())
def test_gan_losses(data):
    real = data.draw(inputs.tensors())
    fake = data.draw(st.one_of(inputs.tensors(dtype=real.dtype), inputs.tensors()))
    targets = [data.draw(inputs.probabilities) for _ in range(2)]
    weights = [data.draw(inputs.numbers) for _ in range(2)]
    outputs = attempt(OPS.gan_loss.default, real, fake, *targets, *weights)
    if outputs is not None:
        assert outputs[0].shape == ()
        assert outputs[1].shape == (4,)
    grad = data.draw(st.one_of(inputs.tensors(size=()), inputs.tensors()))
    outputs = attempt(OPS.gan_loss_backward.default, grad, real, fake, *targets, *weights)
    if outputs is not None:
        assert_like(outputs[0], real)
        assert_like(outputs[1], fake)
    attempt(OPS.generator_loss.default, fake, targets[0], weights[0])
    outputs = attempt(OPS.generator_loss_backward.default, grad, fake, targets[0], weights[0])
    if outputs is not None:
        assert_like(outputs[0], fake)


@CASES
@given(st.data())
def test_columns(data):
    x = data.draw(inputs.tensors())
    width = x.shape[-1] if x.dim() else 0
    first = data.draw(st.integers(0, width))
    fitting = st.just((first, [n for n in (width - first - (width - first) // 2, (width - first) // 2) if n]))
    anything = st.tuples(
        st.sampled_from([-1, 0, 1, 5, 2**63 - 1]), st.lists(st.sampled_from([-1, 0, 1, 2, 7, 2**40]), max_size=3)
    )
    scalars, widths = data.draw(st.one_of(fitting, fitting, anything))
    tau, seed = data.draw(st.one_of(st.just(0.5), inputs.numbers)), data.draw(inputs.seeds)
    outputs = attempt(OPS.column_heads.default, x, scalars, widths, tau, seed, 0, None)
    if outputs is not None:
        assert_like(outputs[0], x)
    other = data.draw(st.one_of(st.just(x), inputs.tensors()))
    outputs = attempt(OPS.column_heads_backward.default, other, x, scalars, widths, tau)
    if outputs is not None:
        assert_like(outputs[0], other)
    places = torch.randint(max(width - first, 1), x.shape[:-1])
    conditions = data.draw(st.one_of(st.just(places), inputs.tensors()))
    outputs = attempt(OPS.condition_loss.default, x, conditions, scalars, widths)
    if outputs is not None:
        assert outputs[0].shape == ()
    grad = data.draw(st.one_of(inputs.tensors(size=()), inputs.tensors()))
    outputs = attempt(OPS.condition_loss_backward.default, grad, x, conditions, scalars, widths)
    if outputs is not None:
        assert_like(outputs[0], x)


@CASES
@given(st.data())
def test_wrong_types(data):
    op = getattr(OPS, data.draw(st.sampled_from(NAMES))).default
    things = st.one_of(
        st.none(), st.text(max_size=3), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2)
    )
    count = len(op._schema.arguments)
    arguments = data.draw(st.lists(st.one_of(things, inputs.tensors()), min_size=count, max_size=count))
    attempt(op, *arguments)
