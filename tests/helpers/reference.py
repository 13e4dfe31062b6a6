"""What the kernels should compute, written independently of them, in float64 and from the formulas."""

import numpy as np

MASK32 = np.uint64(0xFFFFFFFF)


def philox4x32(counter, key, rounds):
    """Philox4x32 (Salmon et al., SC'11) over arrays of uint64 that hold 32-bit words: four words in, four out."""
    c0, c1, c2, c3 = (np.asarray(word, dtype=np.uint64) for word in counter)
    k0, k1 = (int(word) for word in key)
    for r in range(rounds):
        left = np.uint64((k0 + r * 0x9E3779B9) & 0xFFFFFFFF)
        right = np.uint64((k1 + r * 0xBB67AE85) & 0xFFFFFFFF)
        a = np.uint64(0xD2511F53) * c0
        b = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (b >> np.uint64(32)) ^ c1 ^ left, b & MASK32, (a >> np.uint64(32)) ^ c3 ^ right, a & MASK32
    return c0, c1, c2, c3


def draws(elements, seed, offset):
    """The 16-bit draw of each of the first `elements` elements, in memory order."""
    octet = np.arange((elements + 7) // 8, dtype=np.uint64)
    counter = (
        np.full_like(octet, offset & 0xFFFFFFFF),
        np.full_like(octet, offset >> 32),
        octet & MASK32,
        octet >> np.uint64(32),
    )
    words = philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32), 7)
    halves = [half for word in words for half in (word & np.uint64(0xFFFF), word >> np.uint64(16))]
    return np.stack(halves, axis=-1).reshape(-1)[:elements].astype(np.int64)


def threshold(p):
    """The draw from which an element is kept."""
    return int(np.floor(p * 65536 + 0.5))


def keep(shape, stride, p, seed, offset, feature=False):
    """Boolean array of `shape`: what a dropout over a dense tensor with these strides (in elements) keeps."""
    if feature:
        maps = draws(shape[0] * shape[1], seed, offset) >= threshold(p)
        return np.broadcast_to(maps.reshape(shape[:2] + (1,) * (len(shape) - 2)), shape)
    place = np.zeros(shape, dtype=np.int64)
    for dim, (size, step) in enumerate(zip(shape, stride, strict=True)):
        place += np.arange(size).reshape((-1,) + (1,) * (len(shape) - dim - 1)) * step
    return (draws(int(np.prod(shape)), seed, offset) >= threshold(p))[place]


def bias_act_dropout(x, kept, p, negative_slope=1.0, bias=None, channel_dim=1, gain=1.0, clamp=None):
    """Output and its derivative by x, float64: dropout(clamp(gain * leaky_relu(x + bias))) with the mask `kept`."""
    x = np.asarray(x, dtype=np.float64)
    if bias is not None:
        shape = [1] * x.ndim
        shape[channel_dim] = -1
        x = x + np.asarray(bias, dtype=np.float64).reshape(shape)
    slope = np.where(x > 0, 1.0, negative_slope) * gain
    with np.errstate(invalid="ignore"):
        y = x * slope
    if negative_slope == 0:
        y[x <= 0] = 0.0
    if clamp is not None:
        slope = np.where(np.abs(y) >= clamp, 0.0, slope)
        y = np.where(np.isnan(y), y, np.clip(y, -clamp, clamp))
    scale = 0.0 if threshold(p) == 65536 else 65536 / (65536 - threshold(p))
    return np.where(kept, y, 0.0) * np.where(kept, scale, 0.0), np.where(kept, slope * scale, 0.0)


def _times(factor, term):
    """A product that is 0 where the factor is, though the term be infinite."""
    factor, term = np.broadcast_arrays(factor, term)
    with np.errstate(invalid="ignore"):
        return np.where((factor == 0) & np.isinf(term), 0.0, factor * term)


def bce_with_logits(x, target, weight=1.0, pos_weight=1.0):
    """Loss of each element and its derivative by x, float64: the weighted -log of a sigmoid's two probabilities."""
    x, target, weight, pos_weight = (np.asarray(a, dtype=np.float64) for a in (x, target, weight, pos_weight))
    loss = _times(pos_weight * target, np.logaddexp(0, -x)) + _times(1 - target, np.logaddexp(0, x))
    # sigmoid(x) and sigmoid(-x), neither as 1 minus the other
    up, down = np.exp(-np.logaddexp(0, -x)), np.exp(-np.logaddexp(0, x))
    return weight * loss, weight * ((1 - target) * up - pos_weight * target * down)


def bce(p, target, weight=1.0):
    """Loss of each probability and its derivative by it, float64; logarithms are clamped at -100 and constant there."""
    p, target, weight = (np.asarray(a, dtype=np.float64) for a in (p, target, weight))
    loss, gradient = 0.0, 0.0
    with np.errstate(divide="ignore"):
        # log1p(-p) for 1 - p, whose float64 would lose digits of a small p
        for share, log, inverse, sign in ((target, np.log(p), 1 / p, -1), (1 - target, np.log1p(-p), 1 / (1 - p), 1)):
            loss = loss - share * np.maximum(log, -100)
            gradient = gradient + sign * np.where(log < -100, 0.0, share * np.where(np.isinf(inverse), 0, inverse))
    return weight * loss, weight * gradient


def reduced(loss, gradient, reduction):
    """The same after reduction to the "mean" or "sum" ("none" changes nothing)."""
    if reduction == "none":
        return loss, gradient
    if reduction == "sum":
        return loss.sum(), gradient
    with np.errstate(invalid="ignore"):
        return loss.sum() / np.float64(loss.size), gradient / max(loss.size, 1)


def gan_side(logits, target, weight, is_real):
    """One side, in float64: weight * mean loss, its derivative, mean probability, share of logits on the right side."""
    x = np.asarray(logits, dtype=np.float64)
    loss, gradient = bce_with_logits(x, target)
    loss, gradient = reduced(loss, gradient, "mean")
    with np.errstate(invalid="ignore"):
        count = np.float64(x.size)
        right = (x > 0).sum() / count if is_real else (x < 0).sum() / count
        probability = (0.5 + 0.5 * np.tanh(x / 2)).sum() / count
    return weight * loss, weight * gradient, probability, right
