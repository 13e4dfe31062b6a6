"""Fused kernels that make GANs train faster in PyTorch: dropout, leaky ReLU and binary cross-entropy.

Importing fastgan registers its operators under `torch.ops.fastgan`. It loads one compiled library, which works only
with the torch that it was compiled for; the import says so when another one is present.

| module | what for |
|---|---|
| `fastgan.functional`, `fastgan.nn` | the fused operations, as functions and as layers |
| `fastgan.convert` | puts the layers into a model that you have |
| `fastgan.train`, `fastgan.losses`, `fastgan.models`, `fastgan.data` | training GANs, and what it is made of |
| `fastgan.metrics`, `fastgan.explain` | how good samples are, what the discriminator looks at |
| `fastgan.supervised`, `fastgan.tabular` | classifiers, regressors and an imputer, also for scikit-learn |
| `fastgan.bench`, `fastgan.cli` | the benchmarks, the command line |

Modules are imported when they are first used: `import fastgan; fastgan.train.GANTrainer` works.
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
    raise ImportError(compat.unbuilt(os.path.dirname(__file__))) from None

_BUILT_FOR = (_built_for.TORCH, _built_for.TORCH_CUDA)
_PRESENT = (torch.__version__, torch.version.cuda)
compat.check(built_for=_BUILT_FOR, present=_PRESENT)

try:
    import fastgan._C as _C
except ModuleNotFoundError:
    raise ImportError(compat.unbuilt(os.path.dirname(__file__))) from None
except ImportError as error:
    raise ImportError(compat.unloadable(_BUILT_FOR, _PRESENT, str(error))) from error

from fastgan import functional, nn  # noqa: E402 - only now that the library has registered the operators

# `fastgan.convert` is the function; the module of that name is there for `from fastgan.convert import Report`.
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
    # Modules that `import fastgan` leaves out, as they import more than torch and numpy or are rarely used.
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
