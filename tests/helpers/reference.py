"""The results that the kernels should give, computed in float64 from the formulas, independently of the kernels."""

import numpy as np

MASK32 = np.uint64(0xFFFFFFFF)


def philox4x32(counter, key):
    """Philox4x32 with 7 rounds (Salmon et al., SC'11): four words in, four out, as uint64 arrays of 32-bit words."""
    c0, c1, c2, c3 = (np.asarray(word, dtype=np.uint64) for word in counter)
    k0, k1 = (int(word) for word in key)
    for r in range(7):
        left = np.uint64((k0 + r * 0x9E3779B9) & 0xFFFFFFFF)
        right = np.uint64((k1 + r * 0xBB67AE85) & 0xFFFFFFFF)
        a = np.uint64(0xD2511F53) * c0
        b = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (b >> np.uint64(32)) ^ c1 ^ left, b & MASK32, (a >> np.uint64(32)) ^ c3 ^ right, a & MASK32
    return c0, c1, c2, c3


def draws(elements, seed, offset):
    """Return the 16-bit random number of each of the first `elements` elements, in memory order."""
    octet = np.arange((elements + 7) // 8, dtype=np.uint64)
    counter = (
        np.full_like(octet, offset & 0xFFFFFFFF),
        np.full_like(octet, offset >> 32),
        octet & MASK32,
        octet >> np.uint64(32),
    )
    words = philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32))
    halves = [half for word in words for half in (word & np.uint64(0xFFFF), word >> np.uint64(16))]
    return np.stack(halves, axis=-1).reshape(-1)[:elements].astype(np.int64)


def threshold(p):
    """Return the smallest random number whose element is kept."""
    return int(np.floor(p * 65536 + 0.5))


def keep(shape, stride, p, seed, offset, feature=False):
    """Return the mask of a dropout over a dense tensor with these strides, counted in elements."""
    if feature:
        maps = draws(shape[0] * shape[1], seed, offset) >= threshold(p)
        return np.broadcast_to(maps.reshape(shape[:2] + (1,) * (len(shape) - 2)), shape)
    index = np.zeros(shape, dtype=np.int64)
    for dim, (size, step) in enumerate(zip(shape, stride, strict=True)):
        index += np.arange(size).reshape((-1,) + (1,) * (len(shape) - dim - 1)) * step
    return (draws(int(np.prod(shape)), seed, offset) >= threshold(p))[index]


def bias_act_dropout(x, kept, p, negative_slope=1.0, bias=None, channel_dim=1, gain=1.0, clamp=None):
    """Return dropout(clamp(gain * leaky_relu(x + bias))) with the mask `kept`, and its derivative by x."""
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
    """Return a product that is 0 where the factor is 0, even if the term is infinite there."""
    factor, term = np.broadcast_arrays(factor, term)
    with np.errstate(invalid="ignore"):
        return np.where((factor == 0) & np.isinf(term), 0.0, factor * term)


def bce_with_logits(x, target, weight=1.0, pos_weight=1.0):
    """Return the loss of each logit and its derivative by the logit."""
    x, target, weight, pos_weight = (np.asarray(a, dtype=np.float64) for a in (x, target, weight, pos_weight))
    loss = _times(pos_weight * target, np.logaddexp(0, -x)) + _times(1 - target, np.logaddexp(0, x))
    # sigmoid(x) and sigmoid(-x). 1 minus the other one would lose digits.
    up, down = np.exp(-np.logaddexp(0, -x)), np.exp(-np.logaddexp(0, x))
    return weight * loss, weight * ((1 - target) * up - pos_weight * target * down)


def bce(p, target, weight=1.0):
    """Return the loss of each probability and its derivative by it. Logarithms are clamped at -100."""
    p, target, weight = (np.asarray(a, dtype=np.float64) for a in (p, target, weight))
    loss, gradient = 0.0, 0.0
    with np.errstate(divide="ignore"):
        # log1p(-p), because log(1 - p) would lose digits of a small p.
        for share, log, inverse, sign in ((target, np.log(p), 1 / p, -1), (1 - target, np.log1p(-p), 1 / (1 - p), 1)):
            loss = loss - share * np.maximum(log, -100)
            gradient = gradient + sign * np.where(log < -100, 0.0, share * np.where(np.isinf(inverse), 0, inverse))
    return weight * loss, weight * gradient


def reduced(loss, gradient, reduction):
    """Return a loss and its gradient after the reduction "mean", "sum" or "none"."""
    if reduction == "none":
        return loss, gradient
    if reduction == "sum":
        return loss.sum(), gradient
    with np.errstate(invalid="ignore"):
        return loss.sum() / np.float64(loss.size), gradient / max(loss.size, 1)


def gan_side(logits, target, weight, is_real):
    """Return weight * mean loss, its derivative, the mean probability and the share of correctly classified logits."""
    x = np.asarray(logits, dtype=np.float64)
    loss, gradient = bce_with_logits(x, target)
    loss, gradient = reduced(loss, gradient, "mean")
    with np.errstate(invalid="ignore"):
        count = np.float64(x.size)
        right = (x > 0).sum() / count if is_real else (x < 0).sum() / count
        probability = (0.5 + 0.5 * np.tanh(x / 2)).sum() / count
    return weight * loss, weight * gradient, probability, right


def gumbel(rows, entries, seed, offset):
    """Return the Gumbel noise of each of `entries` columns behind the scalars, in `rows` rows."""
    block = np.arange((entries + 3) // 4, dtype=np.uint64)[None, :]
    row = np.arange(rows, dtype=np.uint64)[:, None]
    index = (block << np.uint64(40)) + row
    counter = (np.full_like(index, offset & 0xFFFFFFFF), np.full_like(index, offset >> 32))
    words = philox4x32((*counter, index & MASK32, index >> np.uint64(32)), (seed & 0xFFFFFFFF, seed >> 32))
    uniform = (np.stack(words, axis=-1).reshape(rows, 4 * block.size)[:, :entries].astype(np.float64) + 0.5) / 2.0**32
    return -np.log(-np.log1p(-uniform))


def segments_of(scalars, widths):
    """Return the slice of each segment of a row."""
    ends = scalars + np.cumsum(widths, dtype=int)
    return [slice(int(end) - width, int(end)) for end, width in zip(ends, widths, strict=True)]


def column_heads(x, scalars, widths, tau, noise):
    """Return tanh of the scalars and softmax((x + noise) / tau) of each segment."""
    x = np.asarray(x, dtype=np.float64)
    y = np.tanh(x)
    for part in segments_of(scalars, widths):
        logits = (x[:, part] + noise[:, part.start - scalars : part.stop - scalars]) / tau
        powers = np.exp(logits - logits.max(1, keepdims=True))
        y[:, part] = powers / powers.sum(1, keepdims=True)
    return y


def column_heads_gradient(grad, y, scalars, widths, tau):
    """Return the derivative by x of the sum of grad * y, from the heads' result y."""
    grad, y = (np.asarray(a, dtype=np.float64) for a in (grad, y))
    result = grad * (1 - y * y)
    for part in segments_of(scalars, widths):
        g, p = grad[:, part], y[:, part]
        result[:, part] = p * (g - (g * p).sum(1, keepdims=True)) / tau
    return result


def condition_loss(x, conditions, scalars, widths):
    """Return the mean cross-entropy of the conditioned segments, and its derivative by x."""
    x = np.asarray(x, dtype=np.float64)
    losses, gradient = np.zeros(len(x)), np.zeros_like(x)
    for row, condition in enumerate(conditions):
        column = scalars + int(condition)
        (part,) = (part for part in segments_of(scalars, widths) if part.start <= column < part.stop)
        most = x[row, part].max()
        powers = np.exp(x[row, part] - most)
        losses[row] = np.log(powers.sum()) - (x[row, column] - most)
        gradient[row, part] = powers / powers.sum()
        gradient[row, column] -= 1
    return losses.mean(), gradient / len(x)
