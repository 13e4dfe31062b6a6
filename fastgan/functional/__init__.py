"""The fused operations as functions, with the signatures of their namesakes in ``torch.nn.functional``.

All of the dropout family is one kernel, ``dropout(clamp(gain * leaky_relu(input + bias)))``, with stages switched off.
What every function of it keeps:

- dtypes float32, float64, float16 and bfloat16 (the halves compute in float32); any shape, any dense layout as it lies
  (``channels_last`` included), anything else made dense first; the result has the input's dtype and shape;
- a mask depends on (seed, offset, element) only: the same bits on the CPU and on every GPU, for any number of threads.
  Without ``seed`` it is drawn from torch's generator (or ``generator``), as torch's own dropout does;
- a dropped element is exactly 0 whatever its input, and its gradient is exactly 0 whatever comes in (PyTorch gives NaN
  for NaN and infinity there);
- the backward keeps 2 bits an element alive, so in-place use is always safe, and gradients are differentiable again.

``generator=`` breaks a graph of ``torch.compile``, as Dynamo cannot pass one; ``seed=`` does not. Under ``vmap`` a
dropout needs ``seed``.

Binary cross-entropy is one pass forward and one backward. Sums are in double precision and in one order: the same bits
for any number of threads, and in every run on a GPU.
"""

from fastgan.functional.bias_act_dropout import (
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    leaky_relu,
    leaky_relu_dropout,
)
from fastgan.functional.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    discriminator_loss,
    generator_loss,
)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "discriminator_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "generator_loss",
    "leaky_relu",
    "leaky_relu_dropout",
]
