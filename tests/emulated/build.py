"""Builds the emulated programs: a row's CUDA source, its CPU source and its driver, compiled as plain C++.

Objects are kept in the temporary folder under a hash of all that they depend on, never in the source tree.
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
    """What tells a compiler from others of its name."""
    return subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True).stdout


@functools.cache
def digest_of_tree(folder):
    """A hash of all sources in a folder, so that a change of any header builds anew."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".h", ".cuh", ".cu", ".cpp")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sanitizers(names):
    """The compiler's options, which also make the first finding end the program."""
    return [f"-fsanitize={names}", "-fno-sanitize-recover=all"] if names else []


def made(command, key, suffix):
    """Run the command, which writes `-o`, unless a file under the same key is there."""
    digest = hashlib.sha256(repr((key, command, compiler_version())).encode()).hexdigest()[:24]
    path = cache() / (digest + suffix)
    if path.exists():
        return path
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        unfinished = Path(scratch, path.name)
        result = subprocess.run([*command, "-o", str(unfinished)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
        unfinished.rename(path)  # at once, as others may build the same
    return path


def compiled(source, csrc, sanitize):
    """The object of one source.

    The CPU's rows, the reference here, are compiled neither optimised nor with sanitizers, as that takes minutes.
    ThreadSanitizer must not see the runtime, which tells it what the threads of a block are.
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
    """The driver of a row; the CUDA source may be of another tree, and have other sanitizers.

    ThreadSanitizer goes with no other sanitizer, and must see the driver too.
    """
    sanitize = "thread" if cuda_sanitize == "thread" else SANITIZE
    sources = [*RUNTIME, CAPABILITY, CSRC / f"kernels/cpu/{row}.cpp", HERE / f"{row}.cpp"]
    objects = [compiled(source, CSRC, sanitize) for source in sources]
    # First: where an inline function of the CUDA source has a copy in other objects, its own is linked.
    objects.insert(0, compiled(cuda_csrc / f"kernels/cuda/{row}.cu", cuda_csrc, cuda_sanitize))
    names = ",".join(filter(None, dict.fromkeys([*sanitize.split(","), *cuda_sanitize.split(",")])))
    return made([COMPILER, *sanitizers(names), *map(str, objects)], (), ".program")
