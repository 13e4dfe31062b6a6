"""The import check: the compiled library may meet only the torch it was compiled for.

torch's C++ interface changes with every minor version, and CUDA and CPU builds differ within one, so a wheel's
metadata (`torch==2.13.*`) can't rule out a mismatch. Loading the library against another torch would end in an
undefined symbol or worse; `fastgan/__init__.py` therefore calls this before it loads it.
"""

from __future__ import annotations

REINSTALL = "pip install --force-reinstall --no-deps ."


def describe(torch: str, cuda: str | None) -> str:
    """Name a build of torch by its version and what it is built for."""
    return f"torch {torch} ({f'CUDA {cuda}' if cuda else 'CPU'})"


def check(*, built_for: tuple[str, str | None], present: tuple[str, str | None]) -> None:
    """Raise an ImportError unless the library fits the torch that is present.

    Each is (torch's version, the CUDA version it is built for or None). The major and minor version and the CUDA
    version must agree.
    """
    if _series(built_for[0]) != _series(present[0]) or built_for[1] != present[1]:
        raise ImportError(
            f"fastgan was built for {describe(*built_for)}, but {describe(*present)} is installed. "
            f"Rebuild it against that one, in the folder of fastgan's sources: {REINSTALL}"
        )


def unloadable(built_for: tuple[str, str | None], present: tuple[str, str | None], reason: str) -> str:
    """Return the message for a library that passes the check and still does not load, as with another nightly build."""
    return (
        f"fastgan's compiled library, built for {describe(*built_for)}, does not load with {describe(*present)}: "
        f"{reason}. Rebuild it, in the folder of fastgan's sources: {REINSTALL}"
    )


def unbuilt(folder: str) -> str:
    """Return the message for a package folder without the compiled library."""
    return (
        f"fastgan in {folder} has no compiled library for this Python. If that is the source folder: install it with "
        "`pip install .` (or `pip install -e .` to work on it), and don't start Python in the folder of the sources, "
        "where the source folder hides the installed package. If it is an installed package: "
        f"rebuild it with `{REINSTALL}` in the folder of fastgan's sources."
    )


def _series(version: str) -> list[str]:
    return version.split("+")[0].split(".")[:2]
