"""What tests of the build share: its modules, what it built, another interpreter, a package that passes for torch."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import fastgan

__all__ = ["LIBRARY", "build_module", "run_python", "write_torch"]

BUILD_SUPPORT = Path(__file__).resolve().parents[2] / "build_support"
LIBRARY = next(path for path in Path(fastgan.__file__).parent.glob("_C.*") if path.suffix != ".pyi")


def build_module(name):
    """A new instance of a module of build_support, which is no part of the package."""
    spec = importlib.util.spec_from_file_location(name, BUILD_SUPPORT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_python(*arguments, cwd, **environment):
    """Run this interpreter with `environment` on top of the present one; returns the finished process."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def write_torch(folder, version="9.8.7", cuda=None):
    """Write a package that passes for torch where only its version is asked for; returns the folder that holds it."""
    package = folder / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from torch import version\n__version__ = version.__version__\n")
    (package / "version.py").write_text(f"__version__ = '{version}'\ncuda = {cuda!r}\n")
    return folder
