"""Loading takes little more memory than the decoded images: measured in a process of its own."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from fastgan.data import Data, Units
from fastgan.data.prepared import prepare

COUNT, SIDE = 200, 256
PIXELS = COUNT * SIDE * SIDE * 3
# Peak of the process, so that also what is freed again counts; once for the libraries alone, once with the data.
PEAK = """
import sys
from fastgan.data import load
from PIL import Image

def peak():  # VmHWM and not ru_maxrss, which begins at what the process that started this one held
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024

import numpy as np, torch
Image.init()
load("digits", image_size=4)
before = peak()
data = load(sys.argv[1])
x = data.batch(torch.arange(1))
print(peak() - before, x.dtype, len(data))
"""


def _run(code, argument, folder):
    """What code prints in an interpreter of its own, in a folder where no sources hide the installed package."""
    command = [sys.executable, "-c", code, argument]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


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
    peak, dtype, count = _run(PEAK, spec, tmp_path).split()
    assert (dtype, count) == ("torch.float32", str(COUNT))
    assert int(peak) <= 1.3 * PIXELS


# The resident set beyond that of the libraries, after a run's own way of reading; alarms and batches are what reads.
RESIDENT = """
import resource, sys, torch
from fastgan.data import load
from fastgan.train import TrainConfig
from fastgan.train.alarms import SampleAlarms
from fastgan.train.batches import Batches

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

SampleAlarms(load("digits"), TrainConfig())
before = resident()
data = load("prepared:" + sys.argv[1])
batches = Batches(data, 64, seed=0, labelled=True)
assert batches[len(data) // 64 * 3 + 5][0].shape == (64, 3, 64, 64)  # as a run that resumes in its fourth epoch
for k in range(400):
    batches[k]
SampleAlarms(data, TrainConfig())
print(resident() - before, len(data))
"""


def test_prepared_data_of_any_size_take_little_memory(tmp_path):
    count = 200_000  # 2.5 GB, which are not written: the file is sparse
    few = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    folder = prepare(Data(few, [0, 1], Units([127.5], [127.5], 0, 255, "uint8", "hwc")), tmp_path / "many")
    about = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps(about | {"count": count}))
    np.save(folder / "labels.npy", np.arange(count) % 2)
    np.lib.format.open_memmap(folder / "samples.npy", "w+", np.uint8, (count, 64, 64, 3)).flush()
    resident, found = map(int, _run(RESIDENT, str(folder), tmp_path).split())
    assert found == count
    # 2,000 samples for the alarms, once as bytes and in parts as floats; labels; batches in advance.
    assert resident < 400 * 2**20
