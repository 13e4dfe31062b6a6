"""Listing a folder: which files are images, which folders are classes, and what a user is told."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastgan.data.folders import list_folder, shown
from fastgan.data.formats import image_endings


def _make(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"not opened")


def _notes(listing) -> str:
    return "\n".join(listing.notes)


def test_hidden_files_and_folders_are_no_data(tmp_path):
    _make(tmp_path, "a/1.png", "b/1.png", "a/.thumb.png", ".ipynb_checkpoints/1.png", "__MACOSX/a/1.png", ".git/x.png")
    listing = list_folder(str(tmp_path))
    assert listing.files == ["a/1.png", "b/1.png"]
    assert listing.class_names == ("a", "b")
    assert listing.passed_over == {"hidden": 4}
    assert _notes(listing) == "passed over 4 files: 4 hidden"


def test_a_folder_may_lie_in_a_hidden_one(tmp_path):
    _make(tmp_path, ".cache/faces/1.png")
    assert list_folder(f"{tmp_path}/.cache/faces").files == ["1.png"]


def test_classes_and_files_are_in_natural_order(tmp_path):
    _make(tmp_path, *(f"{name}/{i}.png" for name in (10, 2, 1, 0) for i in (10, 9)))
    listing = list_folder(str(tmp_path))
    assert listing.class_names == ("0", "1", "2", "10")
    assert listing.files[-2:] == ["10/9.png", "10/10.png"]
    assert listing.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_images_in_deeper_folders_belong_to_the_first(tmp_path):
    _make(tmp_path, "cat/x/1.png", "cat/2.png", "dog/y/z/3.png")
    listing = list_folder(str(tmp_path))
    assert dict(zip(listing.files, listing.labels.tolist(), strict=True)) == {
        "cat/2.png": 0,
        "cat/x/1.png": 0,
        "dog/y/z/3.png": 1,
    }


def test_images_without_class_folders_have_no_labels(tmp_path):
    _make(tmp_path, "2.png", "10.png")
    listing = list_folder(str(tmp_path))
    assert (listing.files, listing.labels, listing.class_names) == (["2.png", "10.png"], None, ())
    assert listing.notes == []


def test_links_are_followed_and_loops_are_named(tmp_path):
    _make(tmp_path, "far/cats/1.png", "d/dog/1.png", "far/b.png")
    os.symlink(tmp_path / "far" / "cats", tmp_path / "d" / "cat")
    os.symlink(tmp_path / "far" / "b.png", tmp_path / "d" / "dog" / "b.png")
    os.symlink(tmp_path / "d", tmp_path / "d" / "dog" / "round")
    os.symlink("..", tmp_path / "d" / "up")
    os.symlink("nowhere", tmp_path / "d" / "dog" / "gone.png")
    os.symlink("self.png", tmp_path / "d" / "dog" / "self.png")
    listing = list_folder(f"{tmp_path}/d")
    assert listing.files == ["cat/1.png", "dog/1.png", "dog/b.png"]
    assert listing.passed_over == {"broken links": 2}
    (loop,) = [note for note in listing.notes if "follow" in note]
    assert "dog/round" in loop
    assert "up" in loop


def test_a_few_loose_images_are_left_out_and_named(tmp_path):
    _make(tmp_path, *(f"{name}/{i}.png" for name in "ab" for i in range(3)), "cover.png")
    listing = list_folder(str(tmp_path))
    assert listing.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert listing.passed_over == {"beside the class folders": 1}
    assert _notes(listing) == "left out 1 image beside the class folders a, b: cover.png"


def test_most_images_being_loose_there_are_no_labels_and_a_note_says_so(tmp_path):
    _make(tmp_path, *(f"{i}.png" for i in range(5)), "more/x.png")
    listing = list_folder(str(tmp_path))
    assert len(listing.files) == 6
    assert listing.labels is None
    assert _notes(listing) == "no labels: 5 of 6 images lie beside the folders more, 0.png first"


@pytest.mark.parametrize(
    "files",
    [
        ("train/cat/1.png", "train/dog/1.png", "val/cat/1.png"),
        ("train/1.png", "test/1.png"),
        ("Test/cat/1.png", "train/cat/1.png", "Validation/cat/1.png"),
        ("train/cat/1.png", "train/dog/1.png"),
    ],
)
def test_the_parts_of_a_split_are_no_classes_and_the_message_says_what_to_pass(tmp_path, files):
    _make(tmp_path, *files)
    with pytest.raises(ValueError, match=f"parts of a split data set; pass one of them: folder:{tmp_path}/train"):
        list_folder(str(tmp_path))
    assert list_folder(f"{tmp_path}/train").files


def test_class_folders_one_level_below_are_named(tmp_path):
    _make(tmp_path, "PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg", "readme.md")
    listing = list_folder(str(tmp_path))
    assert listing.class_names == ("PetImages",)
    assert listing.notes[-1] == (
        f"all images are of one class, PetImages; folder:{tmp_path}/PetImages has the classes Cat, Dog"
    )


def test_a_class_may_be_called_as_a_part_of_a_split(tmp_path):
    _make(tmp_path, "bus/1.png", "train/1.png")
    listing = list_folder(str(tmp_path))
    assert (listing.class_names, listing.notes) == (("bus", "train"), [])
    _make(tmp_path, "test/1.png")
    assert "the folders test, train are taken for classes" in _notes(list_folder(str(tmp_path)))


@pytest.mark.parametrize("mark", ["checkpoints/step-1.pt", "weights.safetensors", "metrics.jsonl"])
def test_runs_inside_the_folder_are_no_data(tmp_path, mark):
    _make(tmp_path, "a/1.png", "b/1.png")
    for run in ("runs/one", "runs/two", "a/mine"):
        _make(tmp_path, f"{run}/config.toml", f"{run}/{mark}", f"{run}/curves.png", f"{run}/samples/1.png")
    listing = list_folder(str(tmp_path))
    assert listing.files == ["a/1.png", "b/1.png"]
    assert listing.class_names == ("a", "b")
    assert _notes(listing) == "left out a/mine, runs/one, runs/two, as fastgan wrote them"


def test_a_folder_that_is_itself_a_run_gives_its_images_without_the_runs_pictures(tmp_path):
    _make(tmp_path, "1.png", "config.toml", "metrics.jsonl", "curves.png", "samples/step-1.png")
    listing = list_folder(str(tmp_path))
    assert listing.files == ["1.png"]
    assert "left out the pictures of a run in the folder itself" in _notes(listing)


def test_folders_to_exclude_are_found_by_what_they_are(tmp_path):
    _make(tmp_path, "a/1.png", "out/1.png")
    os.symlink(tmp_path / "out", tmp_path / "link")
    assert list_folder(str(tmp_path), exclude=[f"{tmp_path}/link", f"{tmp_path}/none"]).files == ["a/1.png"]


def test_files_passed_over_are_counted_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("fastgan.data.folders.missing_plugin", {".heic": "pillow-heif"}.get)
    _make(tmp_path, "1.png", "2.JFIF", "3.heic", "4.heic", "notes.txt", "README", "a.tar.gz")
    os.mkfifo(tmp_path / "pipe.png")
    listing = list_folder(str(tmp_path))
    assert listing.files == ["1.png", "2.JFIF"]
    assert listing.passed_over == {
        ".heic, which needs the package pillow-heif": 2,
        ".txt": 1,
        "without an ending": 1,
        ".gz": 1,
        "neither files nor folders": 1,
    }
    assert "passed over 6 files: 2 .heic, which needs the package pillow-heif, 1 " in _notes(listing)


def test_a_folder_without_images_is_refused_with_what_it_has(tmp_path):
    with pytest.raises(ValueError, match=f"expected images in {tmp_path}, got none$"):
        list_folder(str(tmp_path))
    _make(tmp_path, "1.svg", "2.svg")
    with pytest.raises(ValueError, match=r"got none; passed over 2 files: 2 \.svg"):
        list_folder(str(tmp_path))
    with pytest.raises(ValueError, match=r"1\.svg to be a folder"):
        list_folder(f"{tmp_path}/1.svg")
    with pytest.raises(FileNotFoundError, match="none to exist"):
        list_folder(f"{tmp_path}/none")


def test_a_folder_without_images_is_no_class(tmp_path):
    _make(tmp_path, "a/1.png", "b/1.txt")
    (tmp_path / "c").mkdir()
    listing = list_folder(str(tmp_path))
    assert listing.class_names == ("a",)
    assert "no images, and so no class, in b, c" in listing.notes


def test_a_folder_that_may_not_be_read_is_named_or_refused_if_strict(tmp_path, monkeypatch):
    _make(tmp_path, "a/1.png", "b/1.png")
    scandir = os.scandir

    def guarded(path):
        if os.fspath(path).rstrip("/").endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    listing = list_folder(str(tmp_path))
    assert listing.files == ["a/1.png"]
    assert listing.notes == ["could not read b (Permission denied)"]
    with pytest.raises(ValueError, match=r"read all folders in .*, got b \(Permission denied\)"):
        list_folder(str(tmp_path), strict=True)
    with pytest.raises(ValueError, match=r"read the folder .*/b: Permission denied"):
        list_folder(f"{tmp_path}/b")


def test_names_that_are_not_utf_8_are_kept_and_can_be_printed(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    with open(folder + b"/\xff.png", "wb") as file:
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(file, "png")
    listing = list_folder(str(tmp_path))
    assert listing.class_names == (r"caf\xe9",)
    assert Image.open(listing.path(0)).size == (2, 2)
    assert shown(listing.path(0)).encode().endswith(rb"caf\xe9/\xff.png")


def test_leaving_images_out_keeps_the_classes_that_are_left(tmp_path):
    _make(tmp_path, "a/1.png", "b/1.png", "c/1.png", "c/2.png")
    kept = list_folder(str(tmp_path)).keep([0, 3])
    assert (kept.files, kept.labels.tolist(), kept.class_names) == (["a/1.png", "c/2.png"], [0, 1], ("a", "c"))


def test_a_deep_tree_is_walked(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 900)
    deep.mkdir(parents=True)
    (deep / "1.png").touch()
    assert list_folder(str(tmp_path)).labels.tolist() == [0]


def test_the_endings_are_those_of_pillows_images():
    assert {".png", ".jpg", ".jfif", ".webp", ".tif", ".gif", ".bmp", ".tga", ".jp2"} <= image_endings()
    assert not {".eps", ".ps", ".pdf", ".wmf", ".mpg", ".h5"} & image_endings()
