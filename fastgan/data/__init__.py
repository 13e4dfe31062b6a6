"""Training data: built-in sets, arrays, files and folders. Each reader returns a `Data`.

| module | what it holds |
|---|---|
| `fastgan.data.samples` | `Data` (samples and labels) and `Units` (the conversion back to the data's own units) |
| `fastgan.data.builtin` | `digits`, `ring`, `grid`: data sets that need no file |
| `fastgan.data.arrays` | `from_array`: data from an array of images or table rows |
| `fastgan.data.files` | readers of .npz and IDX files and of image folders |
| `fastgan.data.table` | tables in CSV and Parquet files: typed columns, to numbers and back |
| `fastgan.data.sources` | `load`: the data set that a name such as `folder:PATH` stands for |
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
