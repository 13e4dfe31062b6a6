"""The fused operations as functions, with the signatures of their namesakes in ``torch.nn.functional``.

The dropout family is one kernel, ``dropout(clamp(gain * leaky_relu(input + bias)))``, with some stages switched off.
For all of its functions:

- The dtypes are float32, float64, float16 and bfloat16; float16 and bfloat16 compute in float32. Any shape is accepted.
  Dense layouts, ``channels_last`` included, are used as they are; others are made dense first. The result has the
  input's dtype and shape.
- A mask depends only on (seed, offset, element). It has the same bits on the CPU and on every GPU, for any number of
  threads. Without ``seed``, the seed is drawn from ``generator`` or torch's own one, as torch's dropout does.
- A dropped element is exactly 0 for any input, and its gradient is exactly 0 for any incoming gradient. (PyTorch gives
  NaN there for NaN and infinity.)
- The backward saves 2 bits an element and not the input or output. So in-place use is always safe, and gradients are
  differentiable again.

``generator=`` breaks a graph of ``torch.compile``, because Dynamo cannot pass a generator; ``seed=`` does not. Under
``vmap``, dropout needs ``seed``.

Binary cross-entropy is one pass forward and one pass backward. Sums are computed in double precision and in a fixed
order: they have the same bits for any number of threads, and in every run on a GPU.

The heads of a table's generator, ``column_heads``, are one pass each way, too, and so is the loss of its conditions.
"""

from fastgan.functional.bias_act_dropout import (
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    leaky_relu,
    leaky_relu_dropout,
)
from fastgan.functional.columns import column_heads, condition_loss
from fastgan.functional.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    discriminator_loss,
    generator_loss,
)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "column_heads",
    "condition_loss",
    "discriminator_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "generator_loss",
    "leaky_relu",
    "leaky_relu_dropout",
]
