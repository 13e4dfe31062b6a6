"""The search for a CUDA toolkit that fits torch's CUDA version, for build_backend.py and setup.py.

In order: ``CUDA_HOME``; the nvcc on PATH; the usual folders; NVIDIA's compiler packages of the package index, wherever
Python finds them. pip's isolated builds ask for those packages, but only where there is no other compiler that fits.
``FASTGAN_CUDA_PACKAGES=1`` leaves out all that comes before them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# What compiles a .cu file. Before CUDA 13 the packages of these names held no nvcc.
PACKAGES = ("nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt", "nvidia-cuda-runtime", "nvidia-cuda-cccl")
FIRST_PACKAGED = 13
NEEDED = ("bin/nvcc", "include/cuda_runtime_api.h", "include/crt/host_config.h")
LOCAL, OPT = Path("/usr/local"), Path("/opt")


class Toolkit(NamedTuple):
    where: str  # which step of the search found it, for messages
    home: Path
    version: str


def output(*command: str | Path) -> str:
    """What a command prints, whether or not it fails."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    except OSError as error:
        return str(error)


def home_of(nvcc: str) -> Path:
    """Asked of nvcc itself, as the one on PATH may be a script that calls another."""
    top = re.search(r"^#\$ TOP=(.+)$", output(nvcc, "--dryrun", "-x", "cu", "-c", os.devnull), re.MULTILINE)
    return Path(os.path.realpath(top[1] if top else Path(nvcc).parents[1]))


def packages_alone() -> bool:
    return os.environ.get("FASTGAN_CUDA_PACKAGES", "0") not in ("", "0")


def asked_home() -> str | None:
    """What names a toolkit, as torch's build tools read it."""
    return os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")


def places_to_search(cuda: str, site: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Where a toolkit may be, in order: (name of the place, folder). `site` is the folder that holds torch."""
    major = cuda.split(".")[0]
    if not packages_alone():
        if home := asked_home():
            yield "CUDA_HOME", Path(home)  # and nothing else, as that is what was asked for
            return
        if nvcc := shutil.which("nvcc"):
            yield "PATH", home_of(nvcc)
        usual = [LOCAL / f"cuda-{cuda}", LOCAL / "cuda", *sorted(LOCAL.glob(f"cuda-{major}*")), OPT / "cuda"]
        yield from (("usual folders", folder) for folder in dict.fromkeys(usual) if folder.is_dir())
    folders = [*map(Path, filter(None, sys.path)), *([site] if site else [])]
    for folder in dict.fromkeys(folder / f"nvidia/cu{major}" for folder in folders):
        if (folder / "bin/nvcc").exists():
            yield "compiler packages", folder


def examine(home: Path, cuda: str) -> tuple[str | None, str]:
    """The version of a toolkit that fits, or None; and what there is to say of one that does not."""
    if missing := [name for name in NEEDED if not (home / name).exists()]:
        return None, f"without {', '.join(missing)}"
    release = re.search(r"release (\d+\.\d+)", output(home / "bin/nvcc", "--version"))
    if release is None:
        return None, "its nvcc does not run"
    if release[1].split(".")[0] != cuda.split(".")[0]:
        return None, f"CUDA {release[1]}"
    return release[1], ""


def requirements(cuda: str) -> list[str]:
    """The compiler packages of a CUDA version, for pip; none where the index has no such packages."""
    packaged = int(cuda.split(".")[0]) >= FIRST_PACKAGED and sys.platform == "linux"
    return [f"{name}=={cuda}.*" for name in PACKAGES] if packaged else []


def find_toolkit(torch_version: str, cuda: str, site: Path | None = None) -> Toolkit:
    """The first toolkit of `places_to_search()` whose major version is that of torch's CUDA.

    Raises:
        RuntimeError: there is none; it names the versions, what was passed over, and the ways out.
    """
    seen = []
    for where, home in places_to_search(cuda, site):
        version, mistake = examine(home, cuda)
        if version:
            return Toolkit(where, home, version)
        seen.append(f"{home} ({where}): {mistake}")
    packages = requirements(cuda)
    install = f", or install a compiler (pip install {shlex.join(packages)})" if packages else ""
    raise RuntimeError(
        f"fastgan: torch {torch_version} is a CUDA build: expected a CUDA {cuda} toolkit with {', '.join(NEEDED)}, "
        f"found {'; '.join(seen) or 'none'}. Either set CUDA_HOME to the folder of a CUDA {cuda.split('.')[0]} toolkit"
        f"{install}, or set FASTGAN_CUDA=0 to build for the CPU only."
    )


def requirements_of_build(torch_version: str, cuda: str | None, site: Path | None = None) -> list[str]:
    """What an isolated build must be given to compile for this CUDA: nothing, where a compiler is there already."""
    if cuda is None or os.environ.get("FASTGAN_CUDA") == "0":
        return []
    if asked_home() and not packages_alone():
        return []  # right or wrong, it is what was asked for
    try:
        find_toolkit(torch_version, cuda, site)
    except RuntimeError:
        return requirements(cuda)
    return []


def link_folders(home: Path, scratch: Path) -> list[str]:
    """Where the linker finds ``libcudart.so``, beyond the toolkit's own folder.

    The packages hold the library under its version's name alone, which no linker looks for.
    """
    libraries = [library for folder in ("lib64", "lib") for library in sorted((home / folder).glob("libcudart.so*"))]
    if not libraries or any(library.name == "libcudart.so" for library in libraries):
        return []
    scratch.mkdir(parents=True, exist_ok=True)
    link = scratch / "libcudart.so"
    link.unlink(missing_ok=True)
    link.symlink_to(libraries[0].resolve())
    return [str(scratch)]
