"""Metrics of generated samples, as functions of plain tensors of samples or features.

| metric | question |
|---|---|
| `fid`, `kid` | how far apart are the distributions of real and generated samples? |
| `prdc` | how good are single samples (precision, density), and how diverse are they all (recall, coverage)? |
| `mixture_quality` | which modes of a known mixture of Gaussians have samples, and how wide are they? |
| `memorisation` | are the samples copies of the training data? |
| `tstr` | what does a classifier learn from labelled samples? |

For data frames there are `fastgan.metrics.fidelity` (columns and pairs of columns beside the real ones, cells that
could not be) and `fastgan.metrics.tables` (what a model learns from synthetic rows, and how near they are to real
ones).

`fastgan.metrics.features` computes the features, `fastgan.metrics.report` all metrics of a trained run.
"""

from fastgan.metrics.distances import KID, fid, kid
from fastgan.metrics.mixtures import MixtureQuality, mixture_quality
from fastgan.metrics.novelty import Memorisation, memorisation
from fastgan.metrics.precision_recall import PRDC, prdc
from fastgan.metrics.utility import TSTR, tstr

__all__ = [
    "KID",
    "PRDC",
    "TSTR",
    "Memorisation",
    "MixtureQuality",
    "fid",
    "kid",
    "memorisation",
    "mixture_quality",
    "prdc",
    "tstr",
]
