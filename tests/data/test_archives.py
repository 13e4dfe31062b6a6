"""Other people's data: Hugging Face's folders and WebDataset's shards are read as the same images in a folder are."""

import io
import os
import tarfile

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from fastgan._support.extras import MissingExtraError
from fastgan.data import load, options
from fastgan.data.prepared import prepare
from fastgan.data.source import is_resident
from fastgan.train import GANTrainer, TrainConfig

NAMES = ["cat", "dog", "eel"]


def _png(i):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(i).integers(0, 255, (6, 5, 3), np.uint8)).save(out, "png")
    return out.getvalue()


CONTENTS = [_png(i) for i in range(12)]
LABELS = [i % 3 for i in range(12)]


def _hf(folder, contents=CONTENTS, **columns):
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)} if not columns else None
    columns = columns or {"label": LABELS}
    rows = {"image": [{"bytes": content, "path": None} for content in contents], **columns}
    data = datasets.Dataset.from_dict(rows, features=features and datasets.Features(features))
    data = data if features else data.cast_column("image", datasets.Image())
    data.save_to_disk(str(folder / "hf"))
    return f"hf:{folder / 'hf'}"


def _tar(folder, contents=CONTENTS, labels=LABELS, extra=()):
    for shard in range(3):
        with tarfile.open(folder / f"s-{shard}.tar", "w") as archive:
            for i in range(4 * shard, 4 * shard + 4):
                files = [(f"d/{i:03}.png", contents[i])]
                files += [] if labels is None else [(f"d/{i:03}.cls", str(labels[i]).encode())]
                for name, content in [*files, *(extra if i == 3 else ())]:
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return f"tar:{folder}/s-{{0..2}}.tar"


@pytest.fixture(params=["hf", "tar"])
def spec(request, tmp_path):
    return {"hf": _hf, "tar": _tar}[request.param](tmp_path)


def test_the_images_and_labels_are_those_that_were_written(spec):
    data = load(spec)
    expected = np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in CONTENTS])
    np.testing.assert_array_equal(data.units.restore(data.samples), expected)
    assert data.labels.tolist() == LABELS
    assert data.class_names == (("0", "1", "2") if spec.startswith("tar") else tuple(NAMES))
    assert load(spec, image_size=4, color="grey").sample_shape == (1, 4, 4)


def test_a_run_that_decodes_as_it_reads_is_the_run_in_memory(spec, monkeypatch):
    ends = []
    for free, workers in ((10**9, 0), (1000, 0), (1000, 2)):
        monkeypatch.setattr(options, "free_memory", lambda free=free: free)
        trainer = GANTrainer(TrainConfig(data=spec, batch_size=4, flip=True, conditional=True, workers=workers))
        assert is_resident(trainer.data.source) is (free > 1000)
        for _ in range(5):
            trainer.step()
        ends.append(trainer.statistics())
    assert ends[0] == ends[1] == ends[2]


def test_they_can_be_prepared(spec, tmp_path):
    data = load(f"prepared:{prepare(load(spec, keep=False), tmp_path / 'out')}")
    assert torch.equal(data.samples, load(spec).samples)
    assert data.class_names == load(spec).class_names


def test_an_image_that_cannot_be_decoded_is_skipped_and_counted_or_refused(tmp_path):
    broken = [content[:70] if i == 5 else content for i, content in enumerate(CONTENTS)]
    for write in (_hf, _tar):
        folder = tmp_path / write.__name__
        folder.mkdir()
        spec = write(folder, broken)
        data = load(spec)
        assert data.labels.tolist() == LABELS[:5] + LABELS[6:]
        assert any("skipped 1 of 12 images" in note for note in data.notes)
        with pytest.raises(ValueError, match=r"row 5 of|d/005 in .*s-1\.tar"):
            load(spec, strict=True)


def test_a_shard_that_is_missing_cut_short_compressed_or_no_tar_file_is_named(tmp_path):
    spec = _tar(tmp_path)
    whole = (tmp_path / "s-1.tar").read_bytes()
    for content in (whole[:1500], b"no tar file" * 100):
        (tmp_path / "s-1.tar").write_bytes(content)
        with pytest.raises(ValueError, match=r"s-1\.tar to be a whole tar file"):
            load(spec)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "s-0.tar")
    with pytest.raises(ValueError, match=r"a\.tar\.gz to be a whole tar file; unpack a compressed one first"):
        load(f"tar:{tmp_path}/a.tar.gz")
    (tmp_path / "s-1.tar").unlink()
    with pytest.raises(FileNotFoundError, match=r"shard '.*s-1\.tar'"):
        load(spec)
    assert len(load(f"tar:{tmp_path}/s-*.tar")) == 8
    with pytest.raises(FileNotFoundError, match="none-"):
        load(f"tar:{tmp_path}/none-*.tar")


def test_shards_may_hold_other_files_texts_as_classes_and_no_classes(tmp_path):
    extra = [("d/003.txt", b"a caption"), ("d/x.json", b"{}"), ("README", b"")]
    data = load(_tar(tmp_path, labels=[NAMES[i] for i in LABELS], extra=extra))
    assert data.class_names == tuple(NAMES)
    assert any("passed over 1 samples without an image" in note for note in data.notes)
    assert load(_tar(tmp_path, labels=None)).labels is None


def test_a_shard_that_changes_while_it_is_read_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(options, "free_memory", lambda: 1000)
    data = load(_tar(tmp_path))
    os.truncate(tmp_path / "s-2.tar", 600)
    data.batch(torch.tensor([0]))
    with pytest.raises(ValueError, match=r"s-2\.tar to stay as it was"):
        data.batch(torch.tensor([11]))


def test_labels_that_are_no_classes_are_named_and_do_not_stop_a_run(tmp_path):
    data = load(_hf(tmp_path, label=[i / 2 for i in range(12)]))
    assert data.labels is None
    assert any("no labels" in note and "fraction" in note for note in data.notes)
    with pytest.raises(ValueError, match="labelled data for `conditional`"):
        GANTrainer(TrainConfig(data=f"hf:{tmp_path}/hf", conditional=True, batch_size=4))


def test_a_split_and_a_column_are_chosen_and_said(tmp_path):
    image = [{"bytes": content, "path": None} for content in CONTENTS]
    data = datasets.Dataset.from_dict({"a": image, "b": image[::-1], "class": [NAMES[i] for i in LABELS]})
    data = data.cast_column("a", datasets.Image()).cast_column("b", datasets.Image())
    datasets.DatasetDict({"test": data.select(range(2)), "train": data}).save_to_disk(str(tmp_path / "hf"))
    with pytest.raises(ValueError, match=r"one column of images .*hf:PATH#COLUMN, got a, b"):
        load(f"hf:{tmp_path}/hf")
    a, b = load(f"hf:{tmp_path}/hf#a"), load(f"hf:{tmp_path}/hf#b")
    assert torch.equal(a.samples, b.samples.flip(0))
    assert a.class_names == tuple(NAMES)
    assert any("train is read" in note for note in a.notes)


def test_another_folder_and_a_missing_library_have_clear_errors(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="none"):
        load(f"hf:{tmp_path}/none")
    with pytest.raises(ValueError, match="save_to_disk wrote"):
        load(f"hf:{tmp_path}")
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"datasets.*\[data\]"):
        load(f"hf:{tmp_path}")
