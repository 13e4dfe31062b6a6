"""The build: what was built, the search for torch, packing, refused CUDA builds."""

import fcntl
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch

import fastgan
from built import LIBRARY, build_module, run_python, write_torch

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(fastgan.__file__).parent


# What was built


def test_build_info_describes_this_build():
    info = fastgan.build_info()
    assert set(info) == {"version", "torch", "cuda", "arch_list", "cpu_capability", "compiler"}
    assert info["version"] == fastgan.__version__ == importlib.metadata.version("fastgan")
    assert info["torch"].split(".")[:2] == torch.__version__.split(".")[:2]
    assert info["cpu_capability"] in ("avx512", "avx2", "default")
    assert re.fullmatch(r"(gcc|clang) \d+\.\d+\.\d+", info["compiler"])
    assert (info["cuda"] is None) == (info["arch_list"] == [])


def test_cpu_capability_can_be_forced():
    command = "import fastgan; print(fastgan.build_info()['cpu_capability'])"
    forced = run_python("-c", command, cwd=ROOT / "tests", FASTGAN_CPU_CAPABILITY="default")
    assert forced.stdout.strip() == "default", forced.stderr


def test_wheel_is_bound_to_the_torch_it_was_compiled_against():
    base = [r for r in importlib.metadata.requires("fastgan") if "extra ==" not in r]
    major, minor, *_ = fastgan.build_info()["torch"].split(".")
    assert sorted(base) == ["numpy", f"torch=={major}.{minor}.*"]


def test_parallel_for_was_compiled_with_openmp():
    if "OpenMP" not in torch.__config__.parallel_info():
        pytest.skip("this torch does not use OpenMP")
    # Without -fopenmp at::parallel_for compiles to a serial loop, and nothing but speed would tell.
    assert re.search(rb"GOMP_parallel|__kmpc_fork_call", LIBRARY.read_bytes())


def test_setup_py_stays_short():
    assert len((ROOT / "setup.py").read_text().splitlines()) < 100


# The search for torch


@pytest.fixture
def backend(monkeypatch):
    """build_backend.py, which is no part of the package."""
    pytest.importorskip("setuptools")
    for name in ("build_toolkit", "build_backend"):  # the second imports the first
        module = build_module(name)
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("FASTGAN_TORCH_ROOT", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return module


def test_torch_is_searched_for_in_the_documented_order(backend, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGAN_TORCH_ROOT", str(tmp_path / "FASTGAN_TORCH_ROOT"))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "VIRTUAL_ENV"))
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "CONDA_PREFIX"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "base"))
    names = ["FASTGAN_TORCH_ROOT", "importable", "prefix", "VIRTUAL_ENV", "CONDA_PREFIX", "base"]
    for name in names:
        site = tmp_path / name if name == "importable" else Path(backend.site_folders(str(tmp_path / name))[0])
        write_torch(site)
    path = [str(tmp_path / "importable")]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: backend.PathFinder.find_spec(name, path))

    for name in names:
        found = backend.find_torch()
        assert found.package.is_relative_to(tmp_path / name)
        assert found.version == "9.8.7"
        assert backend.get_requires_for_build_wheel() == backend.get_requires_for_build_editable() == []
        monkeypatch.delenv(name, raising=False)
        shutil.rmtree(tmp_path / name)

    assert backend.find_torch() is None
    monkeypatch.setenv("FASTGAN_CUDA", "0")
    assert backend.get_requires_for_build_wheel() == backend.get_requires_for_build_editable() == ["torch==2.13.0"]
    with pytest.raises(RuntimeError, match=r"found none in: importable; .*prefix.*pip install torch"):
        backend.load_torch()


def test_compiler_packages_are_asked_for_with_a_torch_that_pip_brings(backend, monkeypatch):
    monkeypatch.setattr(backend, "find_torch", lambda: None)
    monkeypatch.setattr(backend.build_toolkit, "places_to_search", lambda *_: iter(()))
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.delenv("CUDA_PATH", raising=False)
    monkeypatch.delenv("FASTGAN_CUDA", raising=False)
    torch_first, *packages = backend.get_requires_for_build_wheel()
    assert torch_first == "torch==2.13.0"
    assert packages == backend.build_toolkit.requirements("13.0")


@pytest.mark.parametrize("writable", [True, False])
def test_a_build_works_in_the_sources_or_where_it_may_not_write_in_a_copy(backend, monkeypatch, tmp_path, writable):
    for name in ("build_support", "csrc/math", "fastgan"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("csrc/math/octet.h", "fastgan/nn.py", "setup.py"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o444)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: writable)  # chmod stops everyone but root
    with backend.sources():
        assert (Path.cwd() == tmp_path) == writable
        assert Path("csrc/math/octet.h").read_text() == "csrc/math/octet.h"
        Path("fastgan/_built_for.py").touch()
        with open("setup.py", "w" if not writable else "r"):
            pass
    assert Path.cwd() == tmp_path
    assert (tmp_path / "fastgan/_built_for.py").exists() == writable
    assert (tmp_path / "setup.py").read_text() == "setup.py"


def test_builds_of_the_same_sources_wait_for_each_other(backend, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    other = os.open(".", os.O_RDONLY)
    with backend.sources(), pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_packing_the_sources_needs_no_torch(backend):
    assert backend.get_requires_for_build_sdist() == []


@pytest.mark.parametrize("inner", ["", "torch"])
def test_torch_root_may_be_the_folder_of_torch_or_torch_itself(backend, monkeypatch, tmp_path, inner):
    monkeypatch.setenv("FASTGAN_TORCH_ROOT", str(write_torch(tmp_path / "a b") / inner))
    assert backend.find_torch().package == tmp_path / "a b" / "torch"


def test_torch_root_without_torch_is_an_error(backend, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGAN_TORCH_ROOT", str(tmp_path))
    with pytest.raises(RuntimeError, match=re.escape(str(tmp_path))):
        backend.find_torch()


def test_torch_root_wins_over_an_importable_torch_and_is_appended_to_the_path(tmp_path):
    root = str(write_torch(tmp_path / "root"))
    command = (
        "import sys, build_backend; loaded = build_backend.load_torch(); import torch; "
        "assert torch is loaded and torch.__version__ == '9.8.7', torch; "
        f"assert sys.path[-1] == {root!r} and {root!r} not in sys.path[:-1], sys.path"
    )
    loaded = run_python("-c", command, cwd=ROOT, FASTGAN_TORCH_ROOT=root, PYTHONPATH="build_support")
    assert loaded.returncode == 0, loaded.stderr
    assert f"building against torch 9.8.7 in {root}" in loaded.stdout


# What is packed


def test_source_distribution_holds_all_files_but_the_repositorys_own(tmp_path):
    pytest.importorskip("setuptools")
    if not (ROOT / ".git").exists():
        pytest.skip("no clone: nothing says which files belong to the project")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = {name for name in listed.stdout.split("\0") if name}
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    command = "import build_backend; build_backend.build_sdist('dist')"
    packed = run_python("-c", command, cwd=tmp_path, PYTHONPATH="build_support")
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(next((tmp_path / "dist").glob("fastgan-*.tar.gz"))) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    made = {name for name in held if name.startswith("fastgan.egg-info/") or name in ("PKG-INFO", "setup.cfg")}
    assert held - made == {name for name in files if not name.startswith(".")}


# CPU or CUDA


@pytest.mark.parametrize(
    ("built_for_cuda", "asked", "message"),
    [
        (None, "1", r"FASTGAN_CUDA=1: expected a CUDA build of torch, got torch 9\.8\.7"),
        (None, "yes", "FASTGAN_CUDA: expected 0 or 1, got 'yes'"),
        ("13.0", "", "expected a CUDA 13.0 toolkit .*no toolkit .*set CUDA_HOME .*set FASTGAN_CUDA=0"),
    ],
)
def test_impossible_cuda_builds_are_refused(tmp_path, built_for_cuda, asked, message):
    root = str(write_torch(tmp_path, cuda=built_for_cuda))
    environment = {"FASTGAN_TORCH_ROOT": root, "FASTGAN_CUDA": asked, "CUDA_HOME": str(tmp_path / "no toolkit")}
    built = run_python("setup.py", "--version", cwd=ROOT, **environment)
    assert built.returncode != 0
    assert re.search(message, built.stderr)
