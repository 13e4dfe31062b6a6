"""Training data: built-in sets, arrays, files and folders, each read into a `Data`.

| module | what it holds |
|---|---|
| `fastgan.data.samples` | `Data` (samples and labels) and `Units` (the way back to the data's own units) |
| `fastgan.data.builtin` | `digits`, `ring`, `grid` |
| `fastgan.data.arrays` | `from_array`: an array of images or rows |
| `fastgan.data.files` | readers of .npz, IDX and CSV files and of image folders |
| `fastgan.data.tables` | tables in CSV files, with names, text and missing cells |
| `fastgan.data.sources` | `load`: the data set that `--data` names |
"""

from fastgan.data.arrays import from_array
from fastgan.data.builtin import BUILTIN, MIXTURES, digits, grid, mixture, ring
from fastgan.data.samples import Data, Units
from fastgan.data.sources import FROM_PATH, check_spec, load

__all__ = [
    "BUILTIN",
    "FROM_PATH",
    "MIXTURES",
    "Data",
    "Units",
    "check_spec",
    "digits",
    "from_array",
    "grid",
    "load",
    "mixture",
    "ring",
]
