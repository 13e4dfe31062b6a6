"""Loading takes little more memory than the decoded images: measured in a process of its own."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

COUNT, SIDE = 200, 256
PIXELS = COUNT * SIDE * SIDE * 3
# Peak of the process, so that also what is freed again counts; once for the libraries alone, once with the data.
PEAK = """
import resource, sys
from fastgan.data import load
from PIL import Image
import numpy as np, torch
Image.init()
load("digits", image_size=4)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = load(sys.argv[1])
x = data.batch(torch.arange(8))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, x.dtype, len(data))
"""


def _images():
    return np.random.default_rng(0).integers(0, 255, (COUNT, SIDE, SIDE, 1), np.uint8).repeat(3, axis=3)


def _write(kind, folder):
    images = _images()
    if kind == "folder":
        for i, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{i}.bmp")
        return f"folder:{folder}"
    if kind == "idx":
        path = folder / "images"
        with open(path, "wb") as file:
            file.write(bytes([0, 0, 8, 4]) + np.array(images.shape, ">u4").tobytes() + images.tobytes())
        return f"idx:{path}"
    save = np.savez if kind == "npz" else np.savez_compressed
    save(folder / "a.npz", samples=images)
    return f"npz:{folder / 'a.npz'}"


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "idx", "folder"])
def test_loading_peaks_at_1_3_times_the_bytes_of_the_decoded_images(tmp_path, kind):
    spec = _write(kind, tmp_path)
    done = subprocess.run([sys.executable, "-c", PEAK, spec], capture_output=True, text=True, check=True)
    peak, dtype, count = done.stdout.split()
    assert (dtype, count) == ("torch.float32", str(COUNT))
    assert int(peak) <= 1.3 * PIXELS
