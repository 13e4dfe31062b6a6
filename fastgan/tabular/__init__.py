"""GANs for tables. `GAINImputer` fills in missing values; it needs scikit-learn and is imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgan.tabular.impute import GAINImputer

__all__ = ["GAINImputer"]


def __getattr__(name: str) -> Any:
    if name == "GAINImputer":
        from fastgan.tabular.impute import GAINImputer

        return GAINImputer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
