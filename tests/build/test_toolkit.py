"""The search for a CUDA compiler: its order, what is passed over, and what pip is asked for."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from built import build_module

ROOT = Path(__file__).resolve().parents[2]
CUDA = "13.0"
PACKAGES = [f"nvidia-{name}==13.0.*" for name in ("cuda-nvcc", "nvvm", "cuda-crt", "cuda-runtime", "cuda-cccl")]


@pytest.fixture
def setuptools():
    """Imported while it can be found: before `toolkit` empties the path."""
    pytest.importorskip("setuptools.build_meta")


@pytest.fixture
def toolkit(monkeypatch, tmp_path):
    """The module, in a world without any compiler: an empty PATH, and usual folders and sys.path of its own."""
    module = build_module("build_toolkit")
    for name in ("CUDA_HOME", "CUDA_PATH", "FASTGAN_CUDA", "FASTGAN_CUDA_PACKAGES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(module, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(module, "OPT", tmp_path / "opt")
    monkeypatch.setattr(module.sys, "path", [str(tmp_path / "site")])
    monkeypatch.setattr(module.sys, "platform", "linux")
    return module


def write_toolkit(home, version=CUDA):
    """A folder that passes for a toolkit; its nvcc tells its version and where it is."""
    for name in ("include/crt/host_config.h", "include/cuda_runtime_api.h"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    nvcc = home / "bin/nvcc"
    nvcc.parent.mkdir(parents=True, exist_ok=True)
    nvcc.write_text(
        f'#!/bin/sh\nif [ "$1" = --dryrun ]; then echo "#$ TOP={home}"\n'
        f'else echo "Cuda compilation tools, release {version}, V{version}.88"; fi\n'
    )
    nvcc.chmod(0o755)
    return home


def test_compilers_are_searched_for_in_the_documented_order(toolkit, monkeypatch, tmp_path):
    homes = {
        "CUDA_HOME": tmp_path / "home",
        "PATH": tmp_path / "elsewhere",
        "usual folders": tmp_path / "local/cuda-13.0",
        "usual folders, later": tmp_path / "local/cuda",
        "usual folders, other minor": tmp_path / "local/cuda-13.4",
        "usual folders, last": tmp_path / "opt/cuda",
        "compiler packages": tmp_path / "site/nvidia/cu13",
        "compiler packages, beside torch": tmp_path / "torch's/nvidia/cu13",
    }
    for home in homes.values():
        write_toolkit(home)
    monkeypatch.setenv("CUDA_HOME", str(homes["CUDA_HOME"]))
    # A script that calls another nvcc, which knows where it is.
    script = tmp_path / "path/nvcc"
    script.write_text(f'#!/bin/sh\nexec "{homes["PATH"]}/bin/nvcc" "$@"\n')
    script.chmod(0o755)
    for place, home in homes.items():
        found = toolkit.find_toolkit("9.8.7", CUDA, tmp_path / "torch's")
        assert (found.home, found.version) == (home, CUDA)
        assert place.startswith(found.where)
        assert toolkit.requirements_of_build("9.8.7", CUDA, tmp_path / "torch's") == []
        monkeypatch.delenv(place, raising=False) if place == "CUDA_HOME" else None
        shutil.rmtree(home)
        script.unlink() if place == "PATH" else None
    assert toolkit.requirements_of_build("9.8.7", CUDA, tmp_path / "torch's") == PACKAGES


def test_a_mismatched_compiler_on_path_gives_way_to_one_that_fits(toolkit, tmp_path):
    write_toolkit(tmp_path / "local/cuda", "12.8")
    nvcc = write_toolkit(tmp_path / "old", "12.4") / "bin/nvcc"
    (tmp_path / "path/nvcc").symlink_to(nvcc)
    write_toolkit(tmp_path / "opt/cuda", "13.2")
    assert toolkit.find_toolkit("9.8.7", CUDA).home == tmp_path / "opt/cuda"


def test_no_compiler_that_fits_is_an_error_with_versions_and_ways_out(toolkit, tmp_path):
    write_toolkit(tmp_path / "local/cuda", "12.8")
    (tmp_path / "path/nvcc").symlink_to(write_toolkit(tmp_path / "old", "12.4") / "bin/nvcc")
    (write_toolkit(tmp_path / "opt/cuda") / "include/cuda_runtime_api.h").unlink()
    assert toolkit.requirements_of_build("9.8.7", CUDA) == PACKAGES
    with pytest.raises(RuntimeError) as raised:
        toolkit.find_toolkit("9.8.7", CUDA)
    for part in (
        "torch 9.8.7 is a CUDA build: expected a CUDA 13.0 toolkit",
        f"{tmp_path}/old (PATH): CUDA 12.4",
        f"{tmp_path}/local/cuda (usual folders): CUDA 12.8",
        f"{tmp_path}/opt/cuda (usual folders): without include/cuda_runtime_api.h",
        "set CUDA_HOME to the folder of a CUDA 13 toolkit",
        "pip install " + shlex.join(PACKAGES),
        "set FASTGAN_CUDA=0",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize(("version", "message"), [("12.8", "CUDA 12.8"), (None, "without bin/nvcc")])
def test_a_toolkit_that_was_asked_for_is_not_replaced_by_another(toolkit, monkeypatch, tmp_path, version, message):
    write_toolkit(tmp_path / "local/cuda")
    asked = tmp_path / "asked"
    if version:
        write_toolkit(asked, version)
    monkeypatch.setenv("CUDA_HOME", str(asked))
    assert toolkit.requirements_of_build("9.8.7", CUDA) == []
    with pytest.raises(RuntimeError, match=re.escape(f"{asked} (CUDA_HOME): {message}")):
        toolkit.find_toolkit("9.8.7", CUDA)


def test_a_compiler_that_does_not_run_is_passed_over(toolkit, tmp_path):
    (write_toolkit(tmp_path / "local/cuda") / "bin/nvcc").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(RuntimeError, match="its nvcc does not run"):
        toolkit.find_toolkit("9.8.7", CUDA)


def test_packages_alone_where_that_is_asked_for(toolkit, monkeypatch, tmp_path):
    write_toolkit(tmp_path / "local/cuda")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "local/cuda"))
    monkeypatch.setenv("FASTGAN_CUDA_PACKAGES", "1")
    assert toolkit.requirements_of_build("9.8.7", CUDA) == PACKAGES
    write_toolkit(tmp_path / "site/nvidia/cu13")
    assert toolkit.find_toolkit("9.8.7", CUDA).where == "compiler packages"


@pytest.mark.parametrize(
    ("cuda", "platform", "asked"),
    [(None, "linux", ""), ("13.0", "linux", "0"), ("12.8", "linux", ""), ("13.0", "darwin", "")],
)
def test_no_packages_where_they_would_not_help(toolkit, monkeypatch, cuda, platform, asked):
    """For the CPU, and where the index has none that hold an nvcc."""
    monkeypatch.setenv("FASTGAN_CUDA", asked)
    monkeypatch.setattr(toolkit.sys, "platform", platform)
    assert toolkit.requirements_of_build("9.8.7", cuda) == []


@pytest.mark.parametrize(("cuda", "expected"), [(CUDA, PACKAGES), (None, [])])
def test_pip_is_asked_for_the_compiler_of_the_torch_found(setuptools, toolkit, monkeypatch, tmp_path, cuda, expected):
    monkeypatch.setitem(sys.modules, "build_toolkit", toolkit)
    backend = build_module("build_backend")
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").touch()
    # As torch writes it.
    (package / "version.py").write_text(
        f"from typing import Optional\n__all__ = ['cuda']\n__version__ = '2.11.0'\ncuda: Optional[str] = {cuda!r}\n"
    )
    monkeypatch.setenv("FASTGAN_TORCH_ROOT", str(tmp_path))
    assert (backend.find_torch().version, backend.find_torch().cuda) == ("2.11.0", cuda)
    assert backend.get_requires_for_build_wheel() == backend.get_requires_for_build_editable() == expected
    assert backend.get_requires_for_build_sdist() == []


def test_the_linker_finds_a_runtime_library_that_has_its_versions_name_only(toolkit, tmp_path):
    home = write_toolkit(tmp_path / "cu13")
    assert toolkit.link_folders(home, tmp_path / "link") == []  # nothing to link to: the linker says so
    (home / "lib").mkdir()
    (home / "lib/libcudart.so.13").touch()
    for _ in range(2):  # and again in a tree that was built before
        assert toolkit.link_folders(home, tmp_path / "link") == [str(tmp_path / "link")]
        assert (tmp_path / "link/libcudart.so").resolve() == home / "lib/libcudart.so.13"
    (home / "lib/libcudart.so").touch()
    assert toolkit.link_folders(home, tmp_path / "link") == []
