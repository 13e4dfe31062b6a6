"""`fastgan info`."""

from __future__ import annotations

from typing import Any

__all__ = ["add_command"]


def add_command(app: Any) -> None:
    """Add `info` to the application `app`."""
    app.command("info", help=info.__doc__)(lambda: info)


def version() -> None:
    """Print the version."""
    import fastgan

    print(f"fastgan {fastgan.__version__}")


def info() -> None:
    """Print what was built: versions, CUDA or not, the instruction set in use."""
    import fastgan

    for name, value in fastgan.build_info().items():
        print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
