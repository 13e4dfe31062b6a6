"""The scripts in benchmarks/ and the modules that they share."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def script(name):
    """A fresh module of benchmarks/NAME.py, which a process that it spawns can import too."""
    folder = str(ROOT / "benchmarks")
    if folder not in sys.path:
        sys.path.append(folder)  # where the scripts, and spawned processes, find each other
    sys.modules.pop(name, None)
    return importlib.import_module(name)
