"""The recipes: named sets of defaults for `TrainConfig`, and how they fit the data.

Settings that are given replace those of the recipe: `TrainConfig(recipe="mlp", loss="hinge")` is the MLP GAN with
another loss. `RECIPES` has the settings for small samples, such as the 8x8 digits; `FITS` has what changes with the
size and the number of images. `DEFAULT_FITS` has the recipe of images for which none is chosen. A recipe of its own
kind of data is a file of this folder.
"""

from typing import Any

from fastgan.train.recipes._common import COMMON
from fastgan.train.recipes._dense import DENSE
from fastgan.train.recipes._images import IMAGE_FITS, IMAGES
from fastgan.train.recipes._pairs import PAIRS
from fastgan.train.recipes._points import POINTS
from fastgan.train.recipes._tables import TABLES
from fastgan.train.recipes.fitting import Fit

__all__ = ["DEFAULT_FITS", "FITS", "RECIPES"]

# All settings of each recipe, by its name, as they are for small samples.
RECIPES: dict[str, dict[str, Any]] = {
    name: {**COMMON, **differences} for name, differences in {**DENSE, **IMAGES, **PAIRS, **POINTS, **TABLES}.items()
}

# What fits a recipe to the size and the number of the samples: all that hold, a later one over an earlier one.
FITS: dict[str, tuple[Fit, ...]] = {**IMAGE_FITS}

# The recipe of images for which none is chosen; other data take the default. FID after 15 minutes of one core of an
# Intel Xeon (AMX, bf16, torch 2.13.0, 2026-11-28):
#   MNIST's digits, 28 pixels    r3gan 0.09   rpgan 0.17   dcgan 0.77
#   MNIST's digits, 32 pixels    r3gan 0.11   rpgan 0.32   dcgan 0.51
#   OpenMoji's pictures, 64      r3gan 4.7    rpgan 2.0    dcgan 32
#   Noto's emoji, 64             r3gan 3.7    rpgan 1.3
DEFAULT_FITS = (Fit({"recipe": "r3gan"}, sides=(28, 47)), Fit({"recipe": "rpgan"}, sides=(48, None)))
