"""Feature extractors for the metrics: a small classifier trained on the data itself, or one of your own.

No pretrained weights are needed. `fit_features` trains a classifier of the data's labels in a few seconds and returns
it without its last layer. Distances between such features mean more than distances between pixels.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from fastgan import nn as fnn
from fastgan._support.extras import require
from fastgan.data import Data

__all__ = ["Extractor", "FeatureNetwork", "extract", "fit_features", "load_features"]

Extractor = Callable[[Tensor], Tensor]

_WIDTH = 64  # features; FID needs more samples than features
_STEPS, _BATCH = 300, 64
_CLUSTERS, _CLUSTERED = 10, 5000  # number of clusters, and samples that k-means is fitted to
_MAX_NUMBERS = 100_000_000  # in the samples of a training, which are in memory


class FeatureNetwork(nn.Module):
    """A classifier without its last layer, which maps samples (N, ...) to features (N, 64).

    Each feature is shifted to mean 0 over the training data, and all are divided by one number that makes the mean of
    their variances 1. Distances then do not depend on the size of the weights.

    Args:
        body: maps samples (N, ...) to (N, 64).
        classes: number of classes.

    Attributes:
        body: maps samples to features before the shift and the division.
        head: maps those to the logits of the classes.
        mean, scale: the shift (64,) and the divisor.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(_WIDTH, classes)
        self.register_buffer("mean", torch.zeros(_WIDTH))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, samples: Tensor) -> Tensor:
        """Map `samples` (N, ...) to features (N, 64)."""
        return cast(Tensor, (self.body(samples) - self.mean) / self.scale)

    def logits(self, samples: Tensor) -> Tensor:
        """Map `samples` (N, ...) to logits (N, classes)."""
        return cast(Tensor, self.head(self.body(samples)))


def fit_features(data: Data, seed: int = 0) -> nn.Module:
    """Make a feature extractor for data; the same one for the same data and seed on the same machine.

    Rows of at most 64 numbers, such as those of tables and points, are their own features (`nn.Flatten`). For wider
    rows and for images a classifier is trained: two convolutions (for rows a dense layer), then a dense layer of 64
    features, by 300 steps of Adam with batches of 64, on one core. It learns the data's labels. The classes of data
    without labels are 10 clusters of k-means, as in DeepCluster (Caron et al., 2018). The global random states stay
    as they are.

    Args:
        data: what to train on; at least two samples.
        seed: of weights, order and dropout.

    Returns:
        A module in eval mode on the CPU, without gradients, which maps samples (N, ...) to features (N, F).

    Raises:
        MissingExtraError: for unlabelled data without scikit-learn.

    Example:
        >>> extractor = fit_features(Data(torch.rand(20, 3)))  # rows are their own features
        >>> extract(extractor, torch.rand(5, 3)).shape
        torch.Size([5, 3])
    """
    if len(data.sample_shape) == 1 and data.sample_shape[0] <= _WIDTH:
        return nn.Flatten().eval()
    most = max(_CLUSTERED, min(_STEPS * _BATCH, _MAX_NUMBERS // math.prod(data.sample_shape)))
    data = data.subsample(most)
    samples = data.samples.cpu()
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # with several threads the order of summation may vary
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            classes = _classes(samples, data.labels, seed)
            features = FeatureNetwork(_body(tuple(samples.shape[1:])), int(classes.max()) + 1)
            _train(features, samples, classes)
            features.eval().requires_grad_(False)
            _standardise(features, samples)
    finally:
        torch.set_num_threads(before)
    return features


def _classes(samples: Tensor, labels: Tensor | None, seed: int) -> Tensor:
    """The labels (N,), numbered from 0 without gaps, or the clusters of data without (different) labels."""
    if labels is not None and len(labels.unique()) > 1:
        return cast(Tensor, labels.cpu().unique(return_inverse=True)[1])
    rows = samples.flatten(1).numpy()
    kmeans = require("sklearn.cluster").KMeans(min(_CLUSTERS, len(rows)), n_init=1, random_state=seed)
    chosen = torch.randperm(len(rows))[:_CLUSTERED].numpy()
    return torch.from_numpy(kmeans.fit(rows[chosen]).predict(rows)).long()


def _body(shape: tuple[int, ...]) -> nn.Module:
    if len(shape) != 3 or min(shape[1:]) < 4:
        first: list[nn.Module] = [nn.Flatten(), nn.Linear(math.prod(shape), 128), fnn.LeakyReLUDropout(0.2, 0.3)]
        return nn.Sequential(*first, nn.Linear(128, _WIDTH), fnn.LeakyReLU(0.2, inplace=True))
    stride = max(1, min(shape[1:]) // 14)  # larger images are reduced to 14 to 27 pixels a side
    kernel = max(3, stride | 1)
    small = all((-(-side // stride) + 1) // 2 == 4 for side in shape[1:])  # the maps are 4x4 without pooling
    return nn.Sequential(
        nn.Conv2d(shape[0], 16, kernel, stride, padding=kernel // 2),
        fnn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(16, 32, 3, 2, padding=1),
        fnn.LeakyReLU(0.2, inplace=True),
        nn.Identity() if small else nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        fnn.Dropout(0.3),
        nn.Linear(32 * 16, _WIDTH),
        fnn.LeakyReLU(0.2, inplace=True),
    )


def _train(features: FeatureNetwork, samples: Tensor, classes: Tensor) -> None:
    optimizer = torch.optim.Adam(features.parameters(), 2e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    order = torch.cat([torch.randperm(len(samples)) for _ in range(-(-_STEPS * _BATCH // len(samples)))])
    for chosen in order[: _STEPS * _BATCH].split(_BATCH):
        loss = nn.functional.cross_entropy(features.logits(samples[chosen]), classes[chosen])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()


def _standardise(features: FeatureNetwork, samples: Tensor) -> None:
    seen = extract(features, samples[: _STEPS * _BATCH]).double()
    spread = seen.var(dim=0, correction=0).mean().sqrt()
    features.mean.copy_(seen.mean(dim=0))
    features.scale.copy_(spread if spread > 0 else torch.ones(()))


def load_features(name: str) -> Extractor:
    """Import your own extractor by its name `MODULE:NAME`: a callable, or a class whose instances are callable.

    A class is called without arguments. The extractor gets samples (N, ...) on the CPU in the network's range, images
    (N, C, H, W) in [-1, 1], and returns features (N, F). `fastgan eval` also looks for the module in the current
    folder.

    Args:
        name: the module's name, a colon, and the name in the module, which may contain dots.

    Raises:
        ValueError: for a name of another form, a module that cannot be imported, or an object that is not callable.
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ValueError(f"features: expected MODULE:NAME, got '{name}'")
    try:
        found = importlib.import_module(module_name)
    except Exception as error:  # the module's own code may raise anything
        raise ValueError(f"features: cannot import the module of '{name}': {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ValueError(f"features: expected '{module_name}' to have '{attribute}', of '{name}'")
        found = getattr(found, part)
    extractor = found() if isinstance(found, type) else found
    if not callable(extractor):
        raise ValueError(f"features: expected '{name}' to be callable, got {type(extractor).__name__}")
    return extractor.eval() if isinstance(extractor, nn.Module) else cast(Extractor, extractor)


@torch.no_grad()
def extract(extractor: Extractor, samples: Tensor | Data, batch_size: int = 512) -> Tensor:
    """Compute the features (N, F) of samples batch by batch, as float32 on the CPU.

    Args:
        extractor: maps samples (N, ...) on the CPU to features (N, ...), which are flattened.
        samples: (N, ...) of any dtype and device, or data, which are read batch by batch.
        batch_size: samples in one call of the extractor.

    Raises:
        ValueError: where the extractor fails, or returns something other than a tensor, another number of rows, NaN
            or infinity.
    """
    parts = []
    for batch in samples.batches(batch_size) if isinstance(samples, Data) else samples.split(batch_size):
        try:
            features = extractor(batch.cpu().float())
        except Exception as error:
            raise ValueError(f"features: the extractor failed on samples {tuple(batch.shape)}: {error}") from error
        if not isinstance(features, Tensor) or features.dim() < 2 or len(features) != len(batch):
            got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(f"features: expected the extractor to return ({len(batch)}, F), got {got}")
        parts.append(features.flatten(1).float().cpu())
    result = torch.cat(parts)
    if not bool(result.isfinite().all()):
        raise ValueError("features: expected finite features, got NaN or infinity")
    return result
