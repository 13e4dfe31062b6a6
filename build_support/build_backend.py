"""The PEP 517 backend. It finds the installed torch and a CUDA compiler, then calls the backend of setuptools.

The kernels must be compiled against the torch that they will run with. pip's build isolation hides the installed
packages from a build, and a `torch` among the build requirements would install another one. So this backend looks for
the installed torch itself. It asks pip for one only where there is none. build_toolkit.py does the same for the CUDA
compiler that a CUDA build of torch needs.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import site
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from setuptools import build_meta
from setuptools.build_meta import build_editable, build_sdist, prepare_metadata_for_build_editable

import build_toolkit

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

TESTED = "2.13.0"
TESTED_TORCH = f"torch=={TESTED}"
TESTED_CUDA = "13.0"  # what the package index' torch of this version is built for, on Linux


class FoundTorch(NamedTuple):
    where: str  # which step of the search found it, for messages
    spec: ModuleSpec

    @property
    def package(self) -> Path:
        return Path(str(self.spec.origin)).parent

    @property
    def version(self) -> str:
        return self._read("__version__") or "of unknown version"

    @property
    def cuda(self) -> str | None:
        return self._read("cuda")

    def _read(self, name: str) -> str | None:
        """A string of version.py. Read, not imported: importing torch takes seconds."""
        file = self.package / "version.py"
        pattern = rf"^{name}\b[^=\n]*= ['\"](.+?)['\"]"
        match = re.search(pattern, file.read_text(), re.MULTILINE) if file.is_file() else None
        return match[1] if match else None


def site_folders(prefix: str) -> list[str]:
    """The site-packages folders of this Python's version under `prefix`."""
    base = {"base": prefix, "platbase": prefix}
    folders = [sysconfig.get_path(name, vars=base) for name in ("purelib", "platlib")]
    return list(dict.fromkeys(folders + site.getsitepackages([prefix])))


def places_to_search() -> list[tuple[str, list[str] | None]]:
    """Where torch may be, in order: (name of the place, folders); None stands for whatever is importable."""
    places: list[tuple[str, list[str] | None]] = []
    if root := os.environ.get("FASTGAN_TORCH_ROOT"):
        # The folder that holds torch/, an environment's prefix, or torch/ itself.
        above = [str(Path(root).resolve().parent)] if Path(root).name == "torch" else []
        places.append(("FASTGAN_TORCH_ROOT", [root, *site_folders(root), *above]))
    places.append(("importable", None))
    own = site_folders(sys.prefix)
    if sys.prefix == sys.base_prefix:  # otherwise pip would not have installed into the user's folder
        own.append(site.getusersitepackages())
    places.append(("this interpreter's site-packages", own))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if prefix := os.environ.get(name):
            places.append((name, site_folders(prefix)))
    places.append(("the base interpreter's site-packages", site_folders(sys.base_prefix)))
    return places


def find_torch() -> FoundTorch | None:
    """The first torch of `places_to_search()`, or None."""
    for where, folders in places_to_search():
        spec = importlib.util.find_spec("torch") if folders is None else PathFinder.find_spec("torch", folders)
        if spec is not None and spec.origin is not None:  # a bare folder named torch has no origin
            return FoundTorch(where, spec)
        if where == "FASTGAN_TORCH_ROOT":
            root = os.environ[where]
            raise RuntimeError(
                f"fastgan: FASTGAN_TORCH_ROOT: expected the folder that holds torch/, got {root!r}, which does not"
            )
    return None


def load_torch() -> ModuleType:
    """Import the torch that was found, and say which it is."""
    found = find_torch()
    if found is None:
        searched = "; ".join(
            where if folders is None else f"{where} ({', '.join(folders)})" for where, folders in places_to_search()
        )
        raise RuntimeError(
            f"fastgan: expected an installed torch to compile the kernels against, found none in: {searched}. "
            f"Install one first (tested: pip install {TESTED_TORCH}), or set FASTGAN_TORCH_ROOT to the folder it is in."
        )
    print(f"fastgan: building against torch {found.version} in {found.package} (found: {found.where})", flush=True)
    if "torch" not in sys.modules:
        # Appended: torch finds its own requirements there, and setuptools and ninja still come from the build. torch is
        # loaded from its spec, as FASTGAN_TORCH_ROOT must win over an importable torch.
        sys.path.append(str(found.package.parent))
        assert found.spec.loader is not None
        torch = importlib.util.module_from_spec(found.spec)
        sys.modules["torch"] = torch
        found.spec.loader.exec_module(torch)
    return sys.modules["torch"]


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    found = find_torch()
    if found is None:
        return [TESTED_TORCH, *build_toolkit.requirements_of_build(TESTED, TESTED_CUDA)]
    return build_toolkit.requirements_of_build(found.version, found.cuda, found.package.parent)


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    return get_requires_for_build_wheel(config_settings)


def get_requires_for_build_sdist(config_settings: Any = None) -> list[str]:
    return []  # packing the sources compiles nothing


@contextlib.contextmanager
def sources() -> Iterator[None]:
    """The sources as working folder, for one build at a time; a copy of them where they cannot be written to."""
    here = os.getcwd()
    folder = os.open(here, os.O_RDONLY)
    try:
        if os.access(here, os.W_OK):
            fcntl.flock(folder, fcntl.LOCK_EX)  # two builds would write the same files; closing it lets the other go on
            yield
            return
        with tempfile.TemporaryDirectory() as copy:
            for name in ("build_support", "csrc", "fastgan"):
                shutil.copytree(name, Path(copy, name), ignore=shutil.ignore_patterns("*.so", "__pycache__"))
            for path in Path().iterdir():
                if path.is_file():
                    shutil.copyfile(path, Path(copy, path))
            make_writable(Path(copy))
            os.chdir(copy)
            yield
    finally:
        os.chdir(here)
        os.close(folder)


def make_writable(tree: Path) -> None:
    """Undo what copies of read-only files and folders have taken from their owner."""
    for path in [tree, *tree.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


def prepare_metadata_for_build_wheel(metadata_directory: Any, config_settings: Any = None) -> str:
    with sources():
        return build_meta.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def build_wheel(wheel_directory: Any, config_settings: Any = None, metadata_directory: Any = None) -> str:
    # The tree is built in place, so that a second build compiles only what changed. The Python files that an earlier
    # build collected are removed, or modules that were deleted since would be packed again.
    with sources():
        for collected in Path("build").glob("lib*"):
            shutil.rmtree(collected)
        return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
