"""A page on this machine for playing with a run: seeds, truncation, classes, interpolation, latent directions.

| module | what it holds |
|---|---|
| `fastgan.explore.explorer` | `Explorer`: the image that the page's controls stand for, D's logit and its heat map |
| `fastgan.explore.directions` | `principal_directions`: latent directions along which G's first layer changes most |
| `fastgan.explore.page` | `open_page`: the page itself, by Gradio |
"""

from fastgan.explore.explorer import Choice, Explorer, View

__all__ = ["Choice", "Explorer", "View"]
