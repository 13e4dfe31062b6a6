"""Data that lie in parts on several machines: each process draws its share of a batch from its own part."""

import io
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

import distributed_work as work
from fastgan.data import load
from fastgan.train import checkpoint
from fastgan.train.batches import Batches
from forked import together

# The grey value of each image is its number. Class c of a machine's images is the text that stands here.
MACHINES = {0: [("b", range(12))], 1: [("b", range(100, 106)), ("a10", range(106, 110)), ("a9", range(110, 112))]}


def _shard(path, classes, size=8):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, values in classes:
            for value in values:
                content = io.BytesIO()
                Image.fromarray(np.full((size, size), value, np.uint8)).save(content, "png")
                for ending, data in (("png", content.getvalue()), ("cls", name.encode())):
                    member = tarfile.TarInfo(f"{value}.{ending}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))


@pytest.fixture
def machines(tmp_path):
    for machine, classes in MACHINES.items():
        for i, part in enumerate(classes):
            _shard(tmp_path / f"machine-{machine}" / f"s-{i}.tar", [part])
    return tmp_path


def _values(samples):
    return ((samples[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_each_process_draws_half_of_every_batch_from_its_own_shards(machines):
    together(work.draw, work.part_of, (machines,), machines / "drawn", 6)
    for rank, (batches, classes, notes) in enumerate(torch.load(machines / "drawn")):
        own = {value: name for name, values in MACHINES[rank] for value in values}
        for samples, names in zip(batches, classes, strict=True):
            values = _values(samples)
            assert len(values) == 4
            assert names == [own[value] for value in values]
        epoch = [value for samples in batches[:3] for value in _values(samples)]
        assert sorted(epoch) == sorted(own)
        assert "train: 24 samples in 2 parts of 12, 12" in notes
        assert "train: 3 classes: a9, a10, b" in notes


def test_two_processes_on_one_machine_share_its_part(machines):
    (machines / "machine-2").symlink_to(machines / "machine-0")
    together(work.draw, work.three_share, (machines,), machines / "drawn", 2, count=3)
    drawn = [[_values(samples) for samples in batches] for batches, _, _ in torch.load(machines / "drawn")]
    for k in range(2):
        assert len({*drawn[0][k], *drawn[2][k]}) == 8
        assert max(drawn[0][k] + drawn[2][k]) < 100 <= min(drawn[1][k])


def test_a_run_resumes_bit_for_bit_on_machines_that_hold_the_same_parts(machines):
    changes = {"dropout": 0.3, "lr_schedule": "constant", "out": str(machines / "a"), "checkpoint_every": 4}
    together(work.fit_part, machines, {**changes, "steps": 4})
    together(work.fit_part, machines, {**changes, "steps": 8, "resume": True})
    together(work.fit_part, machines, {**changes, "steps": 8, "out": str(machines / "b")})
    first, second = (checkpoint.load(checkpoint.listing(machines / run / "checkpoints")[-1]) for run in "ab")
    torch.testing.assert_close(first["networks"]["ema"], second["networks"]["ema"], rtol=0, atol=0)
    _shard(machines / "machine-1" / "s-9.tar", [("b", range(120, 122))])
    again = {**changes, "steps": 8, "resume": True}
    together(work.refused_at_fit, machines, again, "4 files instead of 3")


def test_other_data_without_spread_are_refused_in_every_process(machines):
    together(work.refused, machines, {"spread": False}, "same data in all processes, got in process 1 3 files")


@pytest.mark.parametrize(
    ("classes", "size", "message"),
    [
        ([("b", range(9))], 4, "samples of one shape in all processes"),
        ([("", range(9))], 8, "labels in the data of all"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(classes, size, message, machines):
    for shard in (machines / "machine-1").iterdir():
        shard.unlink()
    _shard(machines / "machine-1" / "s.tar", classes, size)
    together(work.refused, machines, {"conditional": False, "recipe": "mlp"}, message)


def test_uneven_parts_are_said(machines):
    (machines / "machine-1" / "s-0.tar").unlink()
    together(work.draw, work.part_of, (machines,), machines / "drawn", 1)
    notes = torch.load(machines / "drawn")[0][2]
    assert any("smallest part are seen 2 times as often" in note for note in notes)


def test_two_processes_over_one_stream_read_what_one_process_reads(machines):
    together(work.draw, work.shared, (machines,), machines / "drawn", 4)
    whole = Batches(load(f"tar:{machines}/machine-1/*.tar"), 8, seed=0, labelled=True)
    drawn = torch.load(machines / "drawn")
    for k in range(4):
        assert [_values(batches[k]) for batches, _, _ in drawn] == [_values(half) for half in whole[k][0].chunk(2)]
