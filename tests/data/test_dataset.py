"""torch's data sets: what is plain is taken, and what is not is refused by name."""

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from fastgan.train import GANTrainer, TrainConfig

X = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
Y = torch.arange(64) % 3


class Items(Dataset):
    """A data set of the items that a function makes."""

    def __init__(self, make, count=64):
        self.make, self.count = make, count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return self.make(i)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(X)


def _trained(data, **settings):
    trainer = GANTrainer(TrainConfig(batch_size=16, **settings), data=data)
    trainer.step()
    return trainer


@pytest.mark.parametrize(
    "data",
    [
        TensorDataset(X),
        TensorDataset(X, Y, X),
        Subset(TensorDataset(X), range(40)),
        Items(lambda i: [X[i], "a cat"]),
        Items(lambda i: (X[i], torch.eye(64)[i])),
        Items(lambda i: (X[i], {"anything": i})),
        Items(lambda i: X[i].double()),
        Items(lambda i: X[i].half()),
        Items(lambda i: torch.full((1, 8, 8), i, dtype=torch.uint8)),
    ],
    ids=["one", "three", "subset", "text", "one-hot", "dict as label", "float64", "float16", "bytes"],
)
def test_a_data_set_trains_whatever_its_labels_are(data):
    trainer = _trained(data)
    assert trainer.data.bounded
    assert all(p.isfinite().all() for p in trainer.generator.parameters())


def test_images_of_bytes_fill_the_networks_range():
    bright = _trained(Items(lambda i: torch.full((1, 8, 8), 255, dtype=torch.uint8)))
    assert bright.data.batch(torch.tensor([0])).unique().tolist() == [1.0]
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        assert _trained(X.to(dtype)).data.batch(torch.tensor([0])).dtype == torch.float32


@pytest.mark.parametrize(
    "label",
    [
        lambda i: Y[i],
        lambda i: Y[i].int(),
        lambda i: Y[i].byte(),
        lambda i: Y[i].float(),
        lambda i: "abc"[Y[i]],
        lambda i: torch.eye(3)[Y[i]],
        lambda i: int(Y[i]) + 10**12,
    ],
    ids=["int64", "int32", "uint8", "float", "text", "one-hot", "huge"],
)
@pytest.mark.parametrize("workers", [0, 2])
def test_labels_of_any_kind_condition_a_run(label, workers):
    trainer = _trained(Items(lambda i: (X[i], label(i))), conditional=True, workers=workers)
    assert trainer.size.classes == 3
    assert torch.equal(trainer.data.labels, Y)


@pytest.mark.parametrize(
    ("data", "settings", "error", "words"),
    [
        (DataLoader(TensorDataset(X)), {}, TypeError, "got a DataLoader.* pass its `dataset`"),
        (Stream(), {}, TypeError, "got an IterableDataset"),
        ({"image": X}, {}, TypeError, "expected .*Dataset"),
        (Items(lambda i: {"image": X[i]}), {}, TypeError, "expected a Dataset of tensors, .* got <class 'dict'>"),
        (Items(lambda i: X[i, :, : 1 + i % 2]), {}, ValueError, "samples of one shape in the Dataset.*for sample 1"),
        (Items(lambda i: torch.arange(4)), {}, TypeError, "floating dtype, or images of bytes, got torch.int64"),
        (TensorDataset(X, Y * 0.5), {"conditional": True}, ValueError, "whole numbers or texts in .*got a fraction"),
        (TensorDataset(X), {"conditional": True}, ValueError, "labelled data for `conditional`"),
        (Items(lambda i: (X[i], None)), {"conditional": True}, ValueError, "a label for every sample"),
    ],
    ids=["loader", "iterable", "dict", "items are dicts", "shapes", "integers", "fractions", "no labels", "None"],
)
def test_what_is_not_plain_is_refused_by_name(data, settings, error, words):
    with pytest.raises(error, match=words):
        _trained(data, **settings)
