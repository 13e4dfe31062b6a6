"""Translating image files with a trained run: a file or a whole folder, each under its own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fastgan._support.extras import require
from fastgan.data.formats import UnreadableImageError, image_endings, opened
from fastgan.data.images import ImageReader
from fastgan.data.inputs import DOWNSCALE, enlarged, holes_of, make_inputs
from fastgan.train.pictures import save_picture, to_pixels
from fastgan.train.saved_run import Run

__all__ = ["FileSettings", "image_files", "translate_file", "translate_files"]

_WRITTEN = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}  # formats that hold every colour


@dataclass(frozen=True)
class FileSettings:
    """How files are translated.

    Attributes:
        seed: of the generator's noise, and of holes that are made.
        noise: whether there is noise; without it each image has one translation.
        resize: bring images to the scale of the training, and their translations back to the images' own sides. Without
            it the sides must be such as the network serves.
        make_inputs: the files are targets, such as photos, of which inputs are made as in the training.
    """

    seed: int = 0
    noise: bool = True
    resize: bool = False
    make_inputs: bool = False


def translate_files(
    run: Run,
    source: str | Path,
    out: str | Path,
    settings: FileSettings = FileSettings(),
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Translate a file, or all image files under a folder, whose names are kept.

    Args:
        run: translates images.
        source: a file, or a folder.
        out: for a folder, another folder, which is made where it does not exist; for a file, a file or a folder that
            exists.
        settings: how.
        say: called with a sentence for each file of a folder that is passed over as it cannot be read.

    Returns:
        The files that were written. One of a format that cannot hold every colour, such as .gif, is a .png.

    Raises:
        ValueError: for a run that draws samples from latents, the same folder as source and out, a folder without
            images, an image that does not serve, or `make_inputs` for a run of pairs.
        FileNotFoundError: where source, or the folder of out, does not exist.
        OSError: if a file cannot be written.
        MissingExtraError: without Pillow.
    """
    run.check_translates("translate")
    if settings.make_inputs and run.inputs == "pairs":
        raise ValueError(
            "translate: expected inputs for a run of pairs, got `make_inputs`, which needs a run of --from"
        )
    source, out = Path(source), Path(out)
    if not source.exists():
        raise FileNotFoundError(f"translate: expected the file or folder {source} to exist")
    if source.resolve() == out.resolve():
        raise ValueError(f"translate: expected another file or folder to write than {source}, got the same")
    if not source.is_dir():
        target = out / _written(Path(source.name)) if out.is_dir() else out
        if target.suffix.lower() not in _WRITTEN:
            raise ValueError(f"translate: expected OUT to end in {', '.join(sorted(_WRITTEN))}, got '{target}'")
        if not target.parent.is_dir():
            raise FileNotFoundError(f"translate: expected the folder {target.parent} of OUT to exist")
        save_picture(translate_file(run, source, settings), target)
        return [target]
    if out.exists() and not out.is_dir():
        raise ValueError(f"translate: expected OUT to be a folder, as {source} is one, got the file {out}")
    written = []
    files = image_files(source, out)
    for i, path in enumerate(files):
        try:
            picture = translate_file(run, path, settings, i)
        except UnreadableImageError as error:
            say(f"passed over {path}, which is {error.reason}")
            continue
        target = out / _written(path.relative_to(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        save_picture(picture, target)
        written.append(target)
    if not written:
        raise ValueError(f"translate: expected images that can be read in {source}, got none of {len(files)} files")
    return written


def image_files(folder: Path, exclude: Path | None = None) -> list[Path]:
    """The image files under a folder, in the order of their names; hidden files and folders are left out.

    Args:
        folder: a folder.
        exclude: a folder below it that is left out, such as that of the results.

    Raises:
        ValueError: where there are none.
        MissingExtraError: without Pillow.
    """
    left_out = exclude.resolve() if exclude is not None else None
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in image_endings() or not path.is_file():
            continue
        if left_out is None or not path.resolve().is_relative_to(left_out):
            found.append(path)
    if not found:
        raise ValueError(f"translate: expected images in {folder}, got none")
    return found


def translate_file(
    run: Run, path: str | Path, settings: FileSettings = FileSettings(), number: int = 0
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The translation of an image file as pixels (H, W, C). Of a run of `mask` or `half` what is known stays as it is.

    Args:
        run: translates images.
        path: the file. For a run of `mask` its transparent pixels are those to fill in.
        settings: how.
        number: of the file, by which holes differ where they are made.

    Raises:
        UnreadableImageError: for a file that is not an image or is damaged.
        ValueError: for sides that the network does not serve, with the nearest that it does, or an image without
            transparent pixels for a run of `mask`.
        MissingExtraError: without Pillow.
    """
    image = _input(run, Path(path), settings, number)
    inputs = image
    height, width = image.shape[2:]
    if settings.resize:
        scale = min(run.input_shape[1:]) / min(height, width)
        inputs = _resized(image, run.nearest_size(round(scale * height), round(scale * width)))
    elif (nearest := run.nearest_size(height, width)) != (height, width):
        raise ValueError(
            f"translate: expected sides that the network serves, got {path} of {width} x {height}; the nearest that "
            f"works is {nearest[1]} x {nearest[0]}, and --resize brings any to the scale of the training and back"
        )
    made = run.translate(_with_clean_hole(run, inputs), settings.seed if settings.noise else None)
    made = made if made.shape[2:] == (height, width) else _resized(made, (height, width))
    if run.inputs == "mask":
        made = torch.where(image[:, -1:] > 0, image[:, :-1], made)
    elif run.inputs == "half":
        made[..., : width // 2] = image[..., : width // 2]
    return to_pixels(made[0])


def _input(run: Run, path: Path, settings: FileSettings, number: int) -> Tensor:
    """The input (1, C, H, W) that a file is, or that is made from it."""
    targets = settings.make_inputs or run.inputs == "half"
    channels = run.sample_shape[0] if targets or run.inputs == "mask" else run.input_shape[0]
    pixels = ImageReader(0, "grey" if channels == 1 else "rgb", run.config.background).read(str(path), str(path))
    image = _as_tensor(pixels)
    if targets:
        height, width = image.shape[2:]
        if run.inputs == "downscale":  # whole cells of 4 x 4 pixels
            image = F.pad(image, (0, -width % DOWNSCALE, 0, -height % DOWNSCALE), mode="replicate")
        holes = holes_of(torch.tensor([number]), tuple(image.shape[1:]), settings.seed)
        return make_inputs(run.inputs, image, holes)[..., :height, :width]
    if run.inputs == "downscale":
        return enlarged(image)
    if run.inputs == "mask":
        return torch.cat((image, _opacity(path)), 1)
    return image


def _opacity(path: Path) -> Tensor:
    """1 where an image is opaque and -1 where it is transparent, (1, 1, H, W)."""
    with opened(str(path), str(path)) as image:
        upright = require("PIL.ImageOps").exif_transpose(image)
        alpha = np.array(upright.convert("RGBA"))[..., 3:]
    if alpha.min() >= 128:
        raise ValueError(
            f"translate: expected transparent pixels, which are those to fill in, in {path}, got none; --make-inputs "
            "draws holes"
        )
    return torch.where(_as_tensor(alpha) > 0, 1.0, -1.0)


def _with_clean_hole(run: Run, inputs: Tensor) -> Tensor:
    """The inputs as in the training: 0 in the hole, also where resizing mixed its edge."""
    if run.inputs == "mask":
        known = torch.where(inputs[:, -1:] > 0, 1.0, -1.0)
        return torch.cat((inputs[:, :-1] * (known > 0), known), 1)
    return make_inputs("half", inputs) if run.inputs == "half" else inputs


def _as_tensor(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    """Pixels (H, W, C) as an image (1, C, H, W) in [-1, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().sub(127.5).div(127.5)


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    resized = torch.nn.functional.interpolate(images, size=size, mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp(-1, 1)


def _written(name: Path) -> Path:
    """The name of a translation: that of the image, with .png behind it for a format that cannot hold every colour."""
    return name if name.suffix.lower() in _WRITTEN else name.with_name(name.name + ".png")
