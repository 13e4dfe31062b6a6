"""The import check: the compiled library is loaded only with the torch that it was compiled for.

torch's C++ interface changes with every minor version, and within one version CUDA and CPU builds differ, so a wheel's
metadata (`torch==2.13.*`) cannot rule out a mismatch. Loading the library with another torch would end in an undefined
symbol or worse. `fastgan/__init__.py` therefore calls `check` before it loads the library.
"""

from __future__ import annotations

REINSTALL = "pip install --force-reinstall --no-deps ."


def describe(torch: str, cuda: str | None) -> str:
    """Return a name of a build of torch, made of its version and its CUDA version."""
    return f"torch {torch} ({f'CUDA {cuda}' if cuda else 'CPU'})"


def check(*, built_for: tuple[str, str | None], present: tuple[str, str | None]) -> None:
    """Raise an ImportError unless the library fits the torch that is present.

    Both arguments are (version of torch, CUDA version that it is built for, or None). The major and minor version and
    the CUDA version must agree.
    """
    if _series(built_for[0]) != _series(present[0]) or built_for[1] != present[1]:
        raise ImportError(
            f"fastgan was built for {describe(*built_for)}, but {describe(*present)} is installed. "
            f"Rebuild it against that one, in the folder of fastgan's sources: {REINSTALL}"
        )


def unloadable_message(built_for: tuple[str, str | None], present: tuple[str, str | None], reason: str) -> str:
    """Return the message for a library that passes the check but does not load, as with another nightly build."""
    return (
        f"fastgan's compiled library, built for {describe(*built_for)}, does not load with {describe(*present)}: "
        f"{reason}. Rebuild it, in the folder of fastgan's sources: {REINSTALL}"
    )


def unbuilt_message(folder: str) -> str:
    """Return the message for a package folder without the compiled library."""
    return (
        f"fastgan in {folder} has no compiled library for this Python. If that is the source folder: install it with "
        "`pip install .` (or `pip install -e .` to work on it), and don't start Python in the folder of the sources, "
        "where the source folder hides the installed package. If it is an installed package: "
        f"rebuild it with `{REINSTALL}` in the folder of fastgan's sources."
    )


def _series(version: str) -> list[str]:
    return version.split("+")[0].split(".")[:2]
