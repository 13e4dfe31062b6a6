"""The import check: a library that was built for another torch, or not at all, is refused by name."""

import re
import shutil
from pathlib import Path

import pytest

import fastgan
from built import run_python, write_torch
from fastgan._support import compat

PACKAGE = Path(fastgan.__file__).parent
LIBRARY = next(path for path in PACKAGE.glob("_C.*") if path.suffix != ".pyi")


@pytest.mark.parametrize(
    ("built_for", "present", "fits"),
    [
        (("2.13.0+cpu", None), ("2.13.0", None), True),
        (("2.13.0", None), ("2.13.1", None), True),
        (("2.13.0+cu130", "13.0"), ("2.13.0", "13.0"), True),
        (("2.13.0", None), ("2.12.0", None), False),
        (("2.1.0", None), ("2.13.0", None), False),
        (("2.13.0+cpu", None), ("2.13.0+cu130", "13.0"), False),
        (("2.13.0+cu130", "13.0"), ("2.13.0+cpu", None), False),
        (("2.13.0+cu126", "12.6"), ("2.13.0+cu130", "13.0"), False),
    ],
)
def test_library_fits_only_its_own_torch(built_for, present, fits):
    if fits:
        compat.check(built_for=built_for, present=present)
        return
    with pytest.raises(ImportError) as raised:
        compat.check(built_for=built_for, present=present)
    for part in (compat.describe(*built_for), compat.describe(*present), "pip install"):
        assert part in str(raised.value)


@pytest.fixture
def package(tmp_path):
    """A copy of the package without library and generated module, beside a torch 9.8.7 for the CPU."""
    copy = write_torch(tmp_path) / "fastgan"
    copy.mkdir()
    for name in ("__init__.py", "_support/__init__.py", "_support/compat.py"):
        (copy / name).parent.mkdir(exist_ok=True)
        shutil.copy(PACKAGE / name, copy / name)
    return copy


def write_built_for(package, torch_version, cuda):
    text = f"VERSION = '0'\nTORCH = {torch_version!r}\nTORCH_CUDA = {cuda!r}\nARCH_LIST = []\n"
    (package / "_built_for.py").write_text(text)


def import_error(package):
    imported = run_python("-c", "import fastgan", cwd=package.parent)
    assert imported.returncode != 0
    return imported.stderr.splitlines()[-1]


def test_unbuilt_tree_says_how_to_install(package):
    assert re.search(r"^ImportError: .*no compiled library.*pip install \.", import_error(package))


def test_library_of_another_python_counts_as_unbuilt(package):
    write_built_for(package, "9.8.7", None)
    assert re.search(r"^ImportError: .*no compiled library.*pip install \.", import_error(package))


def test_other_torch_is_refused_before_the_library_is_loaded(package):
    write_built_for(package, "1.2.3", "9.9")
    (package / LIBRARY.name).write_bytes(b"no library")
    message = import_error(package)
    for part in ("built for torch 1.2.3 (CUDA 9.9)", "torch 9.8.7 (CPU) is installed", compat.REINSTALL):
        assert part in message


def test_library_that_does_not_load_says_how_to_rebuild(package):
    write_built_for(package, "9.8.7", None)
    (package / LIBRARY.name).write_bytes(b"no library")
    message = import_error(package)
    for part in ("does not load with torch 9.8.7 (CPU)", compat.REINSTALL):
        assert part in message
