"""What the generator draws for the page."""

import torch

from fastgan.report import samples
from fastgan.report.pictures import cell
from fastgan.report.samples import class_rows, interpolations, neighbours
from fastgan.train.saved_run import load_run


def test_each_sample_stands_beside_the_training_image_that_is_nearest(trained):
    run = load_run(trained["digits"])
    real = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = neighbours(run, real)
    drawn = run.sample(16, samples.derive(0, 1))
    distances = torch.cdist(drawn.flatten(1), real.flatten(1))
    assert [pair.sample for pair in found] == [cell(x) for x in drawn]
    assert [pair.nearest for pair in found] == [cell(real[i]) for i in distances.argmin(1)]


def test_a_copy_has_distance_0(trained):
    run = load_run(trained["digits"])
    found = neighbours(run, torch.cat([run.sample(16, samples.derive(0, 1)), torch.ones(2, 1, 8, 8)]))
    assert [pair.distance for pair in found] == [0.0] * 16


def test_an_interpolation_changes_a_little_from_image_to_image(trained):
    rows = interpolations(load_run(trained["digits"]))
    assert [len(row.images) for row in rows] == [9] * 4
    assert all(len(set(row.images)) > 1 for row in rows)


def test_a_conditional_run_has_a_row_for_each_class(trained):
    rows = class_rows(load_run(trained["conditional"]))
    assert len(rows) == 10
    assert {len(row.images) for row in rows} == {8}
    assert len({row.name for row in rows}) == 10


def test_an_unconditional_run_has_no_rows_of_classes(trained):
    assert class_rows(load_run(trained["digits"])) == []
