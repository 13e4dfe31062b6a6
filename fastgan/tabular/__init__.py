"""GANs for tables.

`TabularGAN` learns a pandas DataFrame and makes new rows; it needs pandas. `GAINImputer` fills in missing values; it
needs scikit-learn. Both are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgan.tabular.impute import GAINImputer
    from fastgan.tabular.synthesiser import TabularGAN

__all__ = ["GAINImputer", "TabularGAN"]


def __getattr__(name: str) -> Any:
    if name == "GAINImputer":
        from fastgan.tabular.impute import GAINImputer

        return GAINImputer
    if name == "TabularGAN":
        from fastgan.tabular.synthesiser import TabularGAN

        return TabularGAN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
