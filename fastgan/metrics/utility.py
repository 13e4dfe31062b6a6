"""How useful labelled samples are for training a classifier."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan._support.extras import require
from fastgan.metrics.checks import as_rows, check_same_width

__all__ = ["TSTR", "tstr"]


@dataclass(frozen=True)
class TSTR:
    """Accuracy on real data of a classifier trained on samples.

    Attributes:
        accuracy: of the classifier trained on samples, tested on real data.
        real_accuracy: of the same classifier trained on real data; the upper limit to expect.
    """

    accuracy: float
    real_accuracy: float


def tstr(samples: tuple[Tensor, Tensor], train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> TSTR:
    """Train on synthetic, test on real: the accuracy of a classifier trained on labelled samples.

    Esteban et al. (2017), section 4.2. The classifier is scikit-learn's `SVC()` with default settings, on flattened
    samples.

    Args:
        samples: generated samples (M, ...) and the classes (M,) that they were generated for.
        train: real samples (N, ...) and their classes (N,), for `real_accuracy`.
        test: real samples and their classes, of which none is in the other two.

    Raises:
        ValueError: for labels of another length, different widths, fewer than two classes to train on, NaN or
            infinity.
        TypeError: for something that is not a tensor.
        MissingExtraError: without scikit-learn.

    Example:
        >>> labels = torch.arange(60) % 2
        >>> real = torch.randn(60, 2, generator=torch.Generator().manual_seed(0)) + 6 * labels[:, None]
        >>> tstr((real, 1 - labels), (real[:30], labels[:30]), (real[30:], labels[30:]))  # all labels are wrong
        TSTR(accuracy=0.0, real_accuracy=1.0)
    """
    parts = {name: _labelled(name, *part) for name, part in (("samples", samples), ("train", train), ("test", test))}
    for name in ("samples", "test"):
        check_same_width("tstr", ("train", name), parts["train"][0], parts[name][0])
    return TSTR(_accuracy(*parts["samples"], *parts["test"]), _accuracy(*parts["train"], *parts["test"]))


def _labelled(name: str, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    x = as_rows("tstr", name, x, 0, "0", torch.float32).cpu()
    if labels.shape != x.shape[:1]:
        raise ValueError(f"tstr: expected labels of shape [{len(x)}] with {name}, got {list(labels.shape)}")
    if name != "test" and len(labels.unique()) < 2:
        raise ValueError(f"tstr: expected at least two classes in {name}, got one")
    return x, labels.detach().cpu()


def _accuracy(x: Tensor, labels: Tensor, test: Tensor, test_labels: Tensor) -> float:
    classifier = require("sklearn.svm").SVC().fit(x.numpy(), labels.numpy())
    return float(classifier.score(test.numpy(), test_labels.numpy()))
