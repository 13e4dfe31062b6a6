"""The image files under a folder and their classes; no file is opened."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fastgan.data.formats import image_endings, missing_plugin
from fastgan.data.labels import natural_key

__all__ = ["FolderListing", "list_folder", "shown"]

# Folders that systems and archive programs make for themselves.
_SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
_PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "holdout"}
# What `fastgan train` and `fastgan explain` write beside a run's settings, where a run's folder is the images' own.
_RUN_PICTURES = {"samples", "curves.png", "explain.png"}
_NAMED = 3  # names or reasons that a note gives before it only counts

_Identity = tuple[int, int]  # device and inode


def shown(path: str) -> str:
    r"""A path as text that can be printed and saved: bytes that are not UTF-8 appear as \xNN.

    Args:
        path: as the system gives it, with such bytes as lone surrogates.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class FolderListing:
    """The images under a folder.

    Attributes:
        root: the folder.
        files: paths of the images below it, in natural order of the class folders and then of the files.
        labels: (N,) int64 number of each image's class folder, or None where there are no class folders.
        class_names: the class folders' names; () without labels.
        passed_over: how many files were left out, by reason.
        notes: what a user should know, a sentence each.
    """

    root: str
    files: list[str]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    passed_over: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def path(self, index: int) -> str:
        """The path of image number `index`."""
        return os.path.join(self.root, self.files[index])

    def keep(self, chosen: Sequence[int]) -> FolderListing:
        """The listing of the images `chosen`, in their order; classes without images are dropped.

        Args:
            chosen: indices of images.
        """
        files, labels, names = [self.files[i] for i in chosen], self.labels, self.class_names
        if labels is not None:
            present, labels = np.unique(labels[np.asarray(chosen, dtype=np.int64)], return_inverse=True)
            names = tuple(names[i] for i in present)
        return FolderListing(self.root, files, labels, names, self.passed_over, self.notes)


@dataclass
class _Search:
    """What the walk through a folder finds; all paths are relative to the root."""

    exclude: set[_Identity]
    endings: frozenset[str]
    files: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    top: list[str] = field(default_factory=list)  # the folders in the root
    loops: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def list_folder(root: str, exclude: Iterable[str] = (), strict: bool = False) -> FolderListing:
    """List the images under a folder, whose subfolders with images are the classes.

    Hidden files and folders are skipped. Symbolic links are followed, but not back into a folder that holds them. A
    run of fastgan inside the folder is no data. Images beside the class folders, if they are fewer than those in them,
    are left out; otherwise there are no labels. The endings are those of the image formats that Pillow reads.

    Args:
        root: the folder.
        exclude: folders below it to leave out.
        strict: raise where a folder below it cannot be read, which is otherwise left out and named.

    Raises:
        FileNotFoundError: where there is no such folder.
        ValueError: for a file, a folder that cannot be read or holds no image, or the parts of a split data set (such
            as `train` and `test`) as class folders; the message says which to pass.
        MissingExtraError: without Pillow.
    """
    identities = [_identity(os.stat(path)) for path in exclude if os.path.exists(path)]
    search = _Search(set(identities), image_endings())
    _walk(search, root, _holders(root))
    search.files.sort(key=lambda file: [natural_key(part) for part in file.split(os.sep)])
    if strict and search.unreadable:
        raise ValueError(f"data: expected to read all folders in {shown(root)}, got {search.unreadable[0]}")
    notes = _search_notes(search)
    if not search.files:
        reasons = "".join(f"; {note}" for note in notes)
        raise ValueError(f"data: expected images in {shown(root)}, got none{reasons}")
    listing = FolderListing(root, search.files, passed_over=dict(search.passed_over), notes=notes)
    named = [path + os.sep for path in search.runs] + [text.partition(" (")[0] + os.sep for text in search.unreadable]
    return _with_classes(listing, [path for path in search.top if not any(n.startswith(path + os.sep) for n in named)])


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _holders(root: str) -> list[_Identity]:
    """The folders that hold the root, into which no link may lead."""
    if not os.path.exists(root):
        raise FileNotFoundError(f"data: expected the folder {shown(root)} to exist")
    if not os.path.isdir(root):
        raise ValueError(f"data: expected {shown(root)} to be a folder")
    found, path = [], os.path.realpath(root)
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        found.append(_identity(os.stat(path)))
    return found


def _walk(search: _Search, root: str, holders: list[_Identity]) -> None:
    """Add to `search` what lies in the folder `root`; `holders` are the folders that hold it."""
    waiting = [("", holders)]
    while waiting:
        below, holders = waiting.pop()
        try:
            with os.scandir(os.path.join(root, below)) as entries:
                found = list(entries)
            identity = _identity(os.stat(os.path.join(root, below)))
        except OSError as error:
            if not below:
                raise ValueError(f"data: expected to read the folder {shown(root)}: {error.strerror}") from error
            search.unreadable.append(f"{shown(below)} ({error.strerror})")
            continue
        is_run = _is_run({entry.name for entry in found})
        if is_run or (below and identity in search.exclude):
            search.runs.append(below)
            if below:
                continue
        for entry in found:
            path = os.path.join(below, entry.name)
            if not (is_run and entry.name in _RUN_PICTURES) and _is_folder(search, entry, path, [*holders, identity]):
                waiting.append((path, [*holders, identity]))
                if not below:
                    search.top.append(path)


def _is_run(names: set[str]) -> bool:
    """Whether a folder with entries of these names is that of a run, or of a fit."""
    run = "config.toml" in names and names & {"checkpoints", "weights.safetensors", "metrics.jsonl"}
    return bool(run) or {"fit.json", "weights.safetensors"} <= names


def _is_folder(search: _Search, entry: os.DirEntry[str], path: str, holders: list[_Identity]) -> bool:
    """Whether `entry` is a folder to walk through; other entries are added to `search` here."""
    if entry.name.startswith(".") or entry.name in _SYSTEM_FOLDERS:
        search.passed_over["hidden"] += 1
        return False
    try:
        folder, file = entry.is_dir(), entry.is_file()
        if folder and entry.is_symlink() and _identity(entry.stat()) in holders:
            search.loops.append(path)
            return False
        if not folder and not file:
            entry.stat()  # raises for a link that leads nowhere
    except OSError as error:
        broken = error.errno in (errno.ENOENT, errno.ELOOP)
        search.passed_over["broken links" if broken else shown(error.strerror or "unreadable")] += 1
        return False
    if folder:
        return True
    ending = os.path.splitext(entry.name)[1].lower()
    if not file:
        search.passed_over["neither files nor folders"] += 1
    elif ending in search.endings:
        search.files.append(path)
    elif package := missing_plugin(ending):
        search.passed_over[f"{ending}, which needs the package {package}"] += 1
    else:
        search.passed_over[f"{shown(ending)}" if ending else "without an ending"] += 1
    return False


def _search_notes(search: _Search) -> list[str]:
    """What was left out, a sentence each."""
    notes = []
    if search.passed_over:
        reasons = [f"{count:,} {reason}" for reason, count in search.passed_over.most_common()]
        total = sum(search.passed_over.values())
        notes.append(f"passed over {total:,} {_plural(total, 'file')}: {_list(reasons, 2 * _NAMED, 'of other kinds')}")
    if search.loops:
        links = _list([shown(path) for path in search.loops])
        notes.append(
            f"did not follow {links}, which {_plural(len(search.loops), 'leads', 'lead')} back to a folder above"
        )
    if search.runs:
        runs = _list([shown(path) or "the pictures of a run in the folder itself" for path in sorted(search.runs)])
        notes.append(f"left out {runs}, as fastgan wrote {_plural(len(search.runs), 'it', 'them')}")
    if search.unreadable:
        notes.append(f"could not read {_list(search.unreadable)}")
    return notes


def _plural(count: int, one: str, many: str = "") -> str:
    return one if count == 1 else many or f"{one}s"


def _list(names: Sequence[str], most: int = _NAMED, others: str = "more") -> str:
    """The first names in words, and how many others there are."""
    first = ", ".join(names[:most])
    return first if len(names) <= most else f"{first} and {len(names) - most:,} {others}"


def _with_classes(listing: FolderListing, top: Sequence[str]) -> FolderListing:
    """The listing with labels, where its images lie in folders of their own; `top` are the folders in the root."""
    firsts = [file.partition(os.sep)[0] if os.sep in file else None for file in listing.files]
    names = sorted({first for first in firsts if first is not None}, key=natural_key)
    if not names:
        return listing
    notes = [*listing.notes, *_check_parts(listing, names)]
    if empty := [shown(path) for path in sorted(set(top) - set(names), key=natural_key)]:
        notes.append(f"no images, and so no class, in {_list(empty)}")
    loose = [i for i, first in enumerate(firsts) if first is None]
    inside = [i for i, first in enumerate(firsts) if first is not None]
    files, passed_over = listing.files, listing.passed_over
    if loose:
        example = shown(files[loose[0]])
        classes = _list([shown(name) for name in names])
        if len(loose) >= len(inside):
            notes.append(
                f"no labels: {len(loose):,} of {len(files):,} images lie beside the folders {classes}, {example} first"
            )
            return replace(listing, notes=notes)
        left = f"left out {len(loose):,} {_plural(len(loose), 'image')} beside the class folders {classes}: {example}"
        notes.append(left + " first" * (len(loose) > 1))
        files = [files[i] for i in inside]
        passed_over = {**passed_over, "beside the class folders": len(loose)}
    number = {name: i for i, name in enumerate(names)}
    labels = np.array([number[firsts[i] or ""] for i in inside], dtype=np.int64)
    return FolderListing(listing.root, files, labels, tuple(map(shown, names)), passed_over, notes)


def _check_parts(listing: FolderListing, names: Sequence[str]) -> list[str]:
    """Refuse the parts of a split data set as classes; a note where other folders lie beside them."""
    parts = [name for name in names if name.lower() in _PARTS]
    nested = any(file.count(os.sep) > 1 for file in listing.files)
    root = shown(listing.root)
    if len(parts) == len(names) and (len(parts) > 1 or nested):
        raise ValueError(
            f"data: expected the classes' folders in {root}, got {_list(parts)}, which are parts of a split data set; "
            f"pass one of them: folder:{os.path.join(root, 'train' if 'train' in parts else parts[0])}"
        )
    if len(parts) > 1:
        return [f"the folders {_list(parts)} are taken for classes, as others lie beside them"]
    inner = sorted({file.split(os.sep)[1] for file in listing.files if file.count(os.sep) > 1}, key=natural_key)
    if len(names) == 1 and len(inner) > 1:
        folder, classes = os.path.join(root, shown(names[0])), _list([shown(name) for name in inner])
        return [f"all images are of one class, {shown(names[0])}; folder:{folder} has the classes {classes}"]
    return []
