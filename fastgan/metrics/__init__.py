"""How good samples are: every metric by its name, all over plain tensors of samples or features.

| metric | question |
|---|---|
| `fid`, `kid` | how far apart are the two distributions? |
| `prdc` | precision, recall, density, coverage: fidelity and diversity apart |
| `mixture_quality` | which modes of a known mixture are there, and are they as wide as they should be? |
| `memorisation` | are the samples copies of the training data? |
| `tstr` | what does a classifier learn from labelled samples? |

`fastgan.metrics.features` makes the features.
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
