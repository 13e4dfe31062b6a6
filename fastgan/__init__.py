"""Fused kernels that make GANs train faster in PyTorch: dropout, leaky ReLU and binary cross-entropy.

Importing fastgan registers its operators under `torch.ops.fastgan`. The compiled library works only with the torch
that it was compiled for; with another one the import raises an ImportError that says so.

| module | contents |
|---|---|
| `fastgan.functional`, `fastgan.nn` | the fused operations, as functions and as layers |
| `fastgan.convert` | replaces the layers of an existing model |
| `fastgan.train`, `fastgan.losses`, `fastgan.models`, `fastgan.data` | the GAN trainer, its losses, networks and data |
| `fastgan.metrics`, `fastgan.explain` | the quality of samples, attributions of the discriminator |
| `fastgan.supervised`, `fastgan.tabular` | classifiers, regressors and an imputer, also for scikit-learn |
| `fastgan.bench`, `fastgan.cli` | the benchmarks, the command line |

Other modules than the first three are imported at first use: `import fastgan; fastgan.train.GANTrainer` works.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import torch

from fastgan._support import compat

try:
    from fastgan import _built_for
except ImportError:
    raise ImportError(compat.unbuilt_message(os.path.dirname(__file__))) from None

_BUILT_FOR = (_built_for.TORCH, _built_for.TORCH_CUDA)
_PRESENT = (torch.__version__, torch.version.cuda)
compat.check(built_for=_BUILT_FOR, present=_PRESENT)

try:
    import fastgan._C as _C
except ModuleNotFoundError:
    raise ImportError(compat.unbuilt_message(os.path.dirname(__file__))) from None
except ImportError as error:
    raise ImportError(compat.unloadable_message(_BUILT_FOR, _PRESENT, str(error))) from error

from fastgan import functional, nn  # noqa: E402 - needs the operators that the library registers

# The attribute `fastgan.convert` is the function. The package is found by `from fastgan.convert import Report`.
from fastgan.convert import convert, revert  # noqa: E402

__version__: str = _built_for.VERSION

__all__ = [
    "__version__",
    "bench",
    "build_info",
    "cli",
    "convert",
    "data",
    "explain",
    "functional",
    "losses",
    "metrics",
    "models",
    "nn",
    "revert",
    "supervised",
    "tabular",
    "train",
]


def __getattr__(name: str) -> Any:
    # `import fastgan` does not import these modules: they need more than torch and numpy, or are rarely used.
    if name in __all__:
        return importlib.import_module(f"fastgan.{name}")
    raise AttributeError(f"module 'fastgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
