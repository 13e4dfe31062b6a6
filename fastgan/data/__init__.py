"""Training data: built-in sets, arrays, files and folders. Each reader returns a `Data`.

| module | what it holds |
|---|---|
| `fastgan.data.samples` | `Data`: a source, labels, classes' names, units |
| `fastgan.data.source` | `Source`: raw samples by index, in memory or in a mapped file |
| `fastgan.data.tensors` | tensors as sources |
| `fastgan.data.units` | `Units`: the conversion to the network's range and back to the data's own units |
| `fastgan.data.builtin` | `digits`, `ring`, `grid`: data sets that need no file |
| `fastgan.data.memory` | `from_array`: data from an array of images or table rows |
| `fastgan.data.arrays` | which dimension of an array is which, and what range its values have |
| `fastgan.data.labels` | labels of any form as class numbers and names |
| `fastgan.data.folders` | the image files under a folder and their classes |
| `fastgan.data.images`, `fastgan.data.formats` | image files as bytes: upright, over a background, grey or RGB |
| `fastgan.data.survey` | what a set of image files has in common |
| `fastgan.data.fit` | the crop, the resampling and the colours of images |
| `fastgan.data.image_files` | images in folders |
| `fastgan.data.pairs`, `fastgan.data.inputs` | pairs of images, and inputs that are made from images |
| `fastgan.data.shards`, `fastgan.data.huggingface` | images in tar files and in Arrow files |
| `fastgan.data.decoded` | how encoded images become data: in memory, or decoded as they are read |
| `fastgan.data.prepared` | what `fastgan prepare` writes, and its reader |
| `fastgan.data.array_files` | .npz and IDX files |
| `fastgan.data.dataset` | torch's `Dataset` objects |
| `fastgan.data.table` | tables in CSV and Parquet files: typed columns, to numbers and back |
| `fastgan.data.sources` | `load`: the data set that a name such as `folder:PATH` stands for |
| `fastgan.data.fingerprint` | texts by which data are known wherever they lie |
"""

from fastgan.data.builtin import BUILTIN, MIXTURES, digits, grid, mixture, ring
from fastgan.data.memory import from_array
from fastgan.data.samples import Data
from fastgan.data.source import Source
from fastgan.data.sources import FROM_PATH, check_spec, load
from fastgan.data.units import Units

__all__ = [
    "BUILTIN",
    "FROM_PATH",
    "MIXTURES",
    "Data",
    "Source",
    "Units",
    "check_spec",
    "digits",
    "from_array",
    "grid",
    "load",
    "mixture",
    "ring",
]
