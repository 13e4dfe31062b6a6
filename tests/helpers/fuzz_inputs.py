"""Strategies of hypothesis for tests/ops/test_fuzz.py: common and unusual tensors and numbers."""

import math

import torch
from hypothesis import strategies as st

FLOATING = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
DTYPES = [*FLOATING, torch.int64, torch.uint8, torch.bool, torch.complex64]
VALUES = [0.0, -0.0, 0.5, 1.0, -1.0, 3.0, -100.0, math.nan, math.inf, -math.inf, 1e-40, -1e-40, 3e38]

sizes = st.lists(st.sampled_from([0, 1, 2, 3, 5, 8, 9, 17, 33]), max_size=4).filter(lambda s: math.prod(s) < 20_000)
numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.01, 0.5, 2.0, 1e-30, 1e30, math.nan, math.inf, -math.inf]),
    st.floats(allow_nan=False, allow_infinity=False),
)
probabilities = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-9, 1 - 1e-9, 0.5, -0.1, 1.1, math.nan]))
seeds = st.one_of(st.none(), st.integers(0, 2**63 - 1), st.sampled_from([-1, 2**63 - 1]))


def filled(size, dtype, seed):
    """Return a tensor of common and special values."""
    generator = torch.Generator().manual_seed(seed)
    count = math.prod(size)
    x = torch.randn(count, generator=generator, dtype=torch.float64)
    special = torch.tensor(VALUES, dtype=torch.float64)
    chosen = torch.rand(count, generator=generator) < 0.2
    x[chosen] = special[torch.randint(len(VALUES), (count,), generator=generator)][chosen]
    if not dtype.is_floating_point and not dtype.is_complex:
        x = x.nan_to_num(0, 1, 0).clamp(0, 1)
    return x.to(dtype).reshape(size)


def _transposed(x):
    return x.transpose(0, -1).contiguous().transpose(0, -1) if x.dim() > 1 else x


def _strided(x):
    """Return every third element of a larger tensor, so that there are gaps in memory."""
    wide = x.new_zeros((*x.shape, 3))
    wide[..., 1] = x
    return wide[..., 1]


def _expanded(x):
    return x[:1].expand(x.shape) if x.dim() and len(x) else x


def _overlapping(x):
    """Return rows that share all elements but one with the next row."""
    if x.dim() != 2 or x.numel() == 0:
        return x
    line = torch.zeros(sum(x.shape), dtype=x.dtype)
    return line.as_strided(x.shape, (1, 1))


def _offset(x):
    """Return a tensor that starts at the second element of its storage, so that it is aligned to elements only."""
    line = x.new_zeros(x.numel() + 1)
    line[1:] = x.reshape(-1)
    return line[1:].view(x.shape)


def _channels_last(x):
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def _negative(x):
    """Return a view with torch's lazy negation: it is marked as negated, and its memory is not."""
    return torch._neg_view(x) if x.is_floating_point() else x


LAYOUTS = [lambda x: x, _transposed, _strided, _expanded, _overlapping, _offset, _channels_last, _negative]


@st.composite
def tensors(draw, size=None, dtype=None):
    """Draw a tensor in any layout, mostly of a floating dtype and on the CPU, seldom on the meta device."""
    shape = draw(sizes) if size is None else size
    kind = draw(st.sampled_from(FLOATING * 3 + DTYPES)) if dtype is None else dtype
    x = draw(st.sampled_from(LAYOUTS))(filled(shape, kind, draw(st.integers(0, 9))))
    return x.to("meta") if draw(st.integers(0, 19)) == 0 else x


@st.composite
def near(draw, x):
    """Draw an argument that should be a tensor like `x`: mostly such a tensor, else None, another shape or dtype."""
    choice = draw(st.integers(0, 9))
    if choice == 0:
        return None
    if choice == 1:
        return draw(tensors())
    if choice == 2:
        return draw(tensors(size=x.shape))
    return draw(tensors(size=x.shape, dtype=x.dtype))
