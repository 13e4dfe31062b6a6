"""Fused kernels that make GANs train faster in PyTorch: dropout, leaky ReLU and binary cross-entropy.

Importing fastgan registers its operators under `torch.ops.fastgan`. It loads one compiled library, which works only
with the torch that it was compiled for; the import says so when another one is present.

| module | what for |
|---|---|
| `fastgan.guide` | three worked examples: a model of yours made faster, training on your images, other trainers |
| `fastgan.functional`, `fastgan.nn` | the fused operations, as functions and as layers |
| `fastgan.convert` | puts the layers into a model that you have |
| `fastgan.train`, `fastgan.losses`, `fastgan.models`, `fastgan.data` | training GANs, and what it is made of |
| `fastgan.metrics`, `fastgan.features`, `fastgan.explain` | how good samples are, what the discriminator looks at |
| `fastgan.estimators`, `fastgan.impute` | classifiers, regressors and an imputer for scikit-learn |
| `fastgan.bench` | the harness of the benchmarks |
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import torch

from fastgan import _compat

try:
    from fastgan import _built_for
except ImportError:
    raise ImportError(_compat.unbuilt(os.path.dirname(__file__))) from None

_BUILT_FOR = (_built_for.TORCH, _built_for.TORCH_CUDA)
_PRESENT = (torch.__version__, torch.version.cuda)
_compat.check(built_for=_BUILT_FOR, present=_PRESENT)

try:
    import fastgan._C as _C
except ModuleNotFoundError:
    raise ImportError(_compat.unbuilt(os.path.dirname(__file__))) from None
except ImportError as error:
    raise ImportError(_compat.unloadable(_BUILT_FOR, _PRESENT, str(error))) from error

from fastgan import functional, nn  # noqa: E402 - only now that the library has registered the operators

# `fastgan.convert` is the function; the module of that name is there for `from fastgan.convert import Report`.
from fastgan.convert import convert, revert  # noqa: E402

__version__: str = _built_for.VERSION

# Functions, and the public modules; those that need scikit-learn where it is.
__all__ = [
    "__version__",
    "bench",
    "build_info",
    "convert",
    "data",
    "explain",
    "features",
    "functional",
    "guide",
    "losses",
    "metrics",
    "models",
    "nn",
    "revert",
    "train",
]
if find_spec("sklearn") is not None:
    __all__ += ["estimators", "impute"]


def build_info() -> dict[str, Any]:
    """Return what this fastgan was built from and for.

    Returns:
        A dict with `version` (fastgan's), `torch` (the version compiled against), `cuda` (the toolkit that compiled the
        CUDA kernels, None in a build without them), `arch_list` (the GPU architectures compiled for, as in
        `TORCH_CUDA_ARCH_LIST`), `cpu_capability` (the instruction set that the CPU kernels run: "avx512", "avx2" or
        "default", as in `FASTGAN_CPU_CAPABILITY`) and `compiler`.

    Example:
        >>> sorted(build_info())
        ['arch_list', 'compiler', 'cpu_capability', 'cuda', 'torch', 'version']
    """
    return {
        "version": __version__,
        "torch": _built_for.TORCH,
        "arch_list": list(_built_for.ARCH_LIST),
        "cpu_capability": _C.cpu_capability(),
        **_C.build_info(),
    }
