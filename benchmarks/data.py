"""Measure how fast images come to the training: from JPEG folders, shards and prepared data, beside a plain DataLoader.

`python benchmarks/data.py --help` lists the settings. Everything that is read is made by the benchmark, in a folder
that is removed at the end. Rates are of whole batches, decoded, cropped, resized and converted to float32.

`--count` prepared images, of random bytes, show start, resume and resident set: each in a process of its own, beyond
what `import fastgan.train` takes.
"""

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from fastgan import bench
from fastgan.data import Data, Units, load
from fastgan.data.prepared import prepare
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.batches import Batches

BYTES = ([127.5], [127.5], 0.0, 255.0, "uint8", "hwc")  # the units of the random images
WIDE = {64: (178, 218), 256: (340, 400)}  # pixels of the JPEG files, by the side to which they are cropped: CelebA's

OPEN = """
import resource, sys, time
import torch
from fastgan.data import load
from fastgan.train.batches import Batches

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

before, began = resident(), time.perf_counter()
data = load("prepared:" + sys.argv[1])
batches = Batches(data, 64, seed=0)
batches[int(sys.argv[2])]
start = time.perf_counter() - began
for k in range(int(sys.argv[2]) + 1, int(sys.argv[2]) + 1 + int(sys.argv[3])):
    batches[k]
print(start, resident() - before)
"""


class Noise:
    """A source of random images, as many as are asked for, that take no memory."""

    def __init__(self, count, side):
        self.count, self.shape, self.dtype, self.notes, self.fingerprint = (
            count,
            (side, side, 3),
            torch.uint8,
            [],
            "noise",
        )

    def __len__(self):
        return self.count

    def read(self, indices):
        return torch.randint(0, 256, (len(indices), *self.shape), dtype=torch.uint8)


class Files(Dataset):
    """What a script without fastgan does: Pillow, crop and resize, a float tensor in [-1, 1]."""

    def __init__(self, folder, side):
        self.paths, self.side = sorted(folder.glob("*.jpg")), side

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            fitted = ImageOps.fit(image.convert("RGB"), (self.side, self.side), Image.Resampling.LANCZOS)
        return torch.from_numpy(np.array(fitted)).permute(2, 0, 1).float().sub_(127.5).div_(127.5)


def make_files(folder, count, side):
    """JPEG files of smooth noise, which compresses as photographs do, and the same files in a shard."""
    rng = np.random.default_rng(0)
    (folder / "files").mkdir()
    with tarfile.open(folder / "shard.tar", "w") as archive:
        for i in range(count):
            coarse = Image.fromarray(rng.integers(0, 256, (24, 20, 3), np.uint8))
            out = io.BytesIO()
            coarse.resize(WIDE[side], Image.Resampling.BICUBIC).save(out, "jpeg", quality=90)
            (folder / "files" / f"{i:06}.jpg").write_bytes(out.getvalue())
            member = tarfile.TarInfo(f"{i:06}.jpg")
            member.size = out.tell()
            out.seek(0)
            archive.addfile(member, out)


def rate(batch, batch_size, seconds):
    """Images a second of batches 0, 1, 2, ...; the first is not timed."""
    batch(0)
    number, began = 1, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        batch(number)
        number += 1
    return (number - 1) * batch_size / spent


def rates(options, side, folder):
    """Images a second of each way to read the same files, by its name and the number of workers."""
    make_files(folder, options.images, side)
    size = options.batch_size
    prepare(load(f"folder:{folder}/files", side, keep=False), folder / "prepared")
    rows = []
    for workers in options.workers:
        loader = DataLoader(Files(folder / "files", side), size, True, num_workers=workers, drop_last=True)
        stream = iter(batch for _ in iter(int, 1) for batch in loader)
        ways = {
            "DataLoader over Pillow": lambda number, stream=stream: next(stream),
            **{
                name: Batches(load(spec, side, workers=workers, keep=False), size, seed=0).__getitem__
                for name, spec in (
                    ("folder", f"folder:{folder}/files"),
                    ("shards", f"tar:{folder}/shard.tar"),
                    ("prepared", f"prepared:{folder}/prepared"),
                )
            },
        }
        for name, batch in ways.items():
            rows.append({"side": side, "workers": workers, "way": name, "rate": rate(batch, size, options.seconds)})
            print(f"{side:4} px, {workers} workers, {name:<24} {rows[-1]['rate']:12,.0f} images/s", flush=True)
    return rows


def opened(options, folder):
    """Seconds to the first batch, of a new run and of one that goes on in a later epoch, and the resident set."""
    noise = Data(Noise(options.count, 64), torch.arange(options.count) % 10, units=Units(*BYTES))
    prepare(noise, folder / "many")
    later = options.count // 64 * 2 + 7
    found = {"count": options.count}
    for name, number in (("start", 0), ("resume", later)):
        command = [sys.executable, "-c", OPEN, str((folder / "many").resolve()), str(number), str(options.batches)]
        # From another folder than that of the sources, which would stand before the installed package.
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
        seconds, resident = map(float, done.stdout.split())
        found |= {f"{name}_seconds": seconds, f"{name}_resident_bytes": int(resident)}
        print(f"{options.count:,} prepared images, {name}: {seconds:.2f} s, {resident / 2**20:,.0f} MiB", flush=True)
    return found


def waiting(options, folder):
    """The share of a DCGAN-64 step that waits for prepared data, on all cores."""
    config = TrainConfig(recipe="dcgan", data=f"prepared:{folder}/many", batch_size=options.batch_size, device="cpu")
    trainer = GANTrainer(config)
    trainer.step()
    before, began = trainer._batches.waited, time.perf_counter()
    for _ in range(options.steps):
        trainer.step()
    share = (trainer._batches.waited - before) / (time.perf_counter() - began)
    print(f"a DCGAN-64 step waits for prepared data in {share:.2%} of its time", flush=True)
    return {"steps": options.steps, "batch_size": options.batch_size, "share": share}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="prepared images of 64 x 64, 12,288 bytes each")
    parser.add_argument("--images", type=int, default=2000, help="JPEG files")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256], choices=list(WIDE))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--batches", type=int, default=2000, help="batches that are read before memory is looked at")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each rate")
    parser.add_argument("--steps", type=int, default=20, help="DCGAN-64 steps")
    parser.add_argument("--folder", type=Path, help="where to make the data; a temporary folder by default")
    parser.add_argument("--json", type=Path, help="write the figures, with the machine, to this file")
    options = parser.parse_args()
    found = {"machine": bench.machine("cpu"), "settings": vars(options) | {"folder": None, "json": None}}
    with contextlib.ExitStack() as stack:

        def folder():
            return Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))

        many = folder()
        found["prepared"] = opened(options, many)
        found["waiting"] = waiting(options, many)
        found["rates"] = [row for side in options.sizes for row in rates(options, side, folder())]
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
