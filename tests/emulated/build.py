"""Builds the emulated programs: a row's CUDA source, its CPU source and its driver, compiled as plain C++.

Objects are cached in the temporary folder, under a hash of everything that they depend on.
"""

import functools
import hashlib
import importlib.util
import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CSRC = HERE.parents[1] / "csrc"
RUNTIME = [HERE / "runtime.cpp", HERE / "fiber.cpp", HERE / "races.cpp"]
CAPABILITY = CSRC / "kernels/cpu/capability.cpp"
COMPILER = os.environ.get("CXX", "g++")
SANITIZE = os.environ.get("FASTGAN_SANITIZE", "")  # such as "address,undefined"
FLAGS = [
    *("-std=c++20", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Werror", "-Wno-unknown-pragmas"),
    *(["-g1"] if SANITIZE else []),
    "-DC10_USING_CUSTOM_GENERATED_MACROS",
]


def cache():
    """The folder of objects and programs, one for each user."""
    folder = Path(tempfile.gettempdir(), f"fastgan-emulated-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder}: expected a folder of this user")
    return folder


@functools.cache
def compiler_version():
    """Distinguishes compilers with the same name."""
    return subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True).stdout


@functools.cache
def digest_of_tree(folder):
    """A hash of all sources in a folder, so that a change in any header rebuilds."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".h", ".cuh", ".cu", ".cpp")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sanitizers(names):
    """Compiler options, which also make the first finding end the program."""
    return [f"-fsanitize={names}", "-fno-sanitize-recover=all"] if names else []


def made(command, key, suffix):
    """The output of a compiler command: cached under its key, or made now."""
    digest = hashlib.sha256(repr((key, command, compiler_version())).encode()).hexdigest()[:24]
    path = cache() / (digest + suffix)
    if path.exists():
        return path
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        unfinished = Path(scratch, path.name)
        result = subprocess.run([*command, "-o", str(unfinished)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
        unfinished.rename(path)  # atomic, as another process may build the same
    return path


def compiled(source, csrc, sanitize):
    """The object file of one source.

    The CPU rows, the reference here, are compiled without optimisation and sanitizers, which would take minutes.
    The runtime is compiled without ThreadSanitizer, as it tells ThreadSanitizer what the threads of a block are.
    """
    if source.parent.name == "cpu":
        options = ["-O0"]
    elif sanitize == "thread":
        options = ["-O1", "-DFASTGAN_TSAN"] if source in RUNTIME else ["-O1", "-g1", *sanitizers(sanitize)]
    else:
        options = ["-O1", *sanitizers(sanitize)]
    torch = Path(importlib.util.find_spec("torch").submodule_search_locations[0], "include")
    language = ["-x", "c++"] if source.suffix == ".cu" else []
    includes = [f"-I{csrc}", f"-I{HERE}", "-isystem", str(torch)]
    command = [COMPILER, *FLAGS, *options, *includes, "-c", *language, str(source)]
    return made(command, (digest_of_tree(csrc), digest_of_tree(HERE)), ".o")


def program(row, cuda_csrc=CSRC, cuda_sanitize=SANITIZE):
    """The program of a row. The CUDA source may come from another tree and have other sanitizers.

    ThreadSanitizer cannot be combined with other sanitizers, and the driver must be compiled with it too.
    """
    sanitize = "thread" if cuda_sanitize == "thread" else SANITIZE
    sources = [*RUNTIME, CAPABILITY, CSRC / f"kernels/cpu/{row}.cpp", HERE / f"{row}.cpp"]
    objects = [compiled(source, CSRC, sanitize) for source in sources]
    # First, so that the linker takes its copy of an inline function that other objects have too.
    objects.insert(0, compiled(cuda_csrc / f"kernels/cuda/{row}.cu", cuda_csrc, cuda_sanitize))
    names = ",".join(filter(None, dict.fromkeys([*sanitize.split(","), *cuda_sanitize.split(",")])))
    return made([COMPILER, *sanitizers(names), *map(str, objects)], (), ".program")
