"""The library shares torch's C++ runtime, also where a linker would take a static one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from built import LIBRARY, build_module

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no libstdc++")


@pytest.fixture
def runtime(monkeypatch):
    """build_runtime.py, which is no part of the package."""
    for name in ("build_toolkit", "build_runtime"):  # the second imports the first
        module = build_module(name)
        monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.fixture
def link(tmp_path):
    """A function that links a library that throws, as where there is no libstdc++.so but the static one."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    source, library = tmp_path / "throws.cpp", tmp_path / "throws.so"
    source.write_text('#include <stdexcept>\nextern "C" void fail() { throw std::runtime_error("an error"); }\n')

    def linked(*arguments):
        command = ["g++", "-shared", "-fPIC", source, "-o", library, "-static-libstdc++", *arguments]
        subprocess.run(command, check=True)
        return library

    return linked


def test_the_installed_library_shares_the_runtime(runtime):
    runtime.check_runtime(LIBRARY)


def test_a_static_runtime_is_not_linked_where_there_is_a_shared_one(runtime, link):
    runtime.check_runtime(link(*runtime.shared_runtime(["g++"])))


def test_a_library_with_a_static_runtime_ends_the_build(runtime, link):
    with pytest.raises(SystemExit, match=r"expected throws\.so to share torch's libstdc\+\+\.so\.6, got"):
        runtime.check_runtime(link())


def test_a_compiler_without_a_shared_runtime_takes_that_of_torch(runtime, link, tmp_path):
    compiler = tmp_path / "g++"
    compiler.write_text('#!/bin/sh\necho "${1#-print-file-name=}"\n')
    compiler.chmod(0o755)
    for command in (compiler, tmp_path / "no compiler"):
        (path,) = runtime.shared_runtime([str(command)])
        assert path in Path("/proc/self/maps").read_text()
        runtime.check_runtime(link(path))
