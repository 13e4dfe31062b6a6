"""What tests of the build share: another interpreter, and a package that passes for torch."""

import os
import subprocess
import sys

__all__ = ["run_python", "write_torch"]


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
