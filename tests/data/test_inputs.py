"""The inputs of image to image: what is made of an image, and that both sides of a pair stay together."""

import numpy as np
import pytest
import torch

from fastgan.data import Data
from fastgan.data.inputs import INPUTS, as_channels, draw_holes, holes_of, make_inputs
from fastgan.data.prepared import prepare
from fastgan.data.sources import load


def _images(count=6, channels=3, side=32):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_grey_inputs_are_pillows_grey():
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    expected = np.asarray(image_module.fromarray(pixels).convert("L"), dtype=np.float64) / 127.5 - 1
    assert np.abs(make_inputs("grey", x)[0, 0].numpy() - expected).max() < 1.01 / 127.5  # Pillow rounds to 8 bits


def test_edges_are_lines_where_the_image_changes_and_white_elsewhere():
    image = torch.ones(1, 3, 16, 16)
    image[..., 8:] = -1
    lines = make_inputs("edges", image)[0, 0]
    assert (lines[:, 7:9] == -1).all()
    assert (lines[:, :6] == 1).all()
    assert (lines[:, 10:] == 1).all()


def test_a_masked_input_is_empty_in_its_hole_and_marks_it():
    x, holes = _images(), draw_holes(6, 32, 32, torch.Generator().manual_seed(0))
    inputs = make_inputs("mask", x, holes)
    hole = holes.expand_as(x)
    assert (inputs[:, :3][hole] == 0).all()
    assert torch.equal(inputs[:, :3][~hole], x[~hole])
    assert torch.equal(inputs[:, 3:] < 0, holes)


def test_holes_are_rectangles_of_a_quarter_to_half_a_side_that_lie_inside_and_anywhere():
    holes = draw_holes(500, 32, 48, torch.Generator().manual_seed(0))[:, 0]
    rows, columns = holes.any(2), holes.any(1)
    assert torch.equal(holes, rows[:, :, None] & columns[:, None])
    for spans, side in ((rows, 32), (columns, 48)):
        lengths = spans.sum(1)
        assert lengths.min() >= side / 4
        assert lengths.max() <= side / 2
        assert ((spans[:, 1:] != spans[:, :-1]).sum(1) <= 2).all()  # in one piece
        assert spans.any(0).all()


def test_a_hole_is_a_function_of_the_images_index_and_the_seed():
    some, other = holes_of(torch.tensor([5, 2]), (3, 32, 32), 0), holes_of(torch.tensor([2, 5]), (3, 32, 32), 0)
    assert torch.equal(some, other.flip(0))
    assert not torch.equal(some[0], some[1])
    assert not torch.equal(some, holes_of(torch.tensor([5, 2]), (3, 32, 32), 1))


def test_half_and_downscale_lose_what_they_say():
    x = _images()
    half = make_inputs("half", x)
    assert torch.equal(half[..., :16], x[..., :16])
    assert (half[..., 16:] == 0).all()
    small = make_inputs("downscale", x)
    assert small.shape == x.shape
    assert small.std() < 0.4 * x.std()  # means of 16 independent pixels have a quarter of their deviation


@pytest.mark.parametrize("kind", INPUTS)
def test_each_kind_gives_inputs_of_the_shape_that_the_data_tell(kind):
    data = Data(_images()).with_inputs(kind)
    targets, inputs = data.pair_batch(torch.tensor([3, 1]))
    assert torch.equal(targets, _images()[[3, 1]])
    assert tuple(inputs.shape[1:]) == data.input_shape
    assert as_channels(inputs, 3).shape == targets.shape
    assert data.take(torch.tensor([1])).input_shape == data.input_shape


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_pairs_of_tensors_come_back_as_they_were(dtype):
    inputs, targets = _images(channels=1), _images()
    if dtype == torch.uint8:
        inputs, targets = ((x * 127.5 + 127.5).to(dtype) for x in (inputs, targets))
    data = Data.pairs(inputs, targets)
    got = data.pair_batch(torch.arange(6))
    expected = [x / 127.5 - 1 if dtype == torch.uint8 else x for x in (targets, inputs)]
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(data.samples, expected[0])
    torch.testing.assert_close(data.batch(torch.tensor([2])), expected[0][2:3])
    assert (data.sample_shape, data.input_shape) == ((3, 32, 32), (1, 32, 32))


def test_prepared_pairs_are_the_same_pairs(tmp_path):
    data = Data.pairs(_images(channels=1), _images())
    prepared = load(f"prepared:{prepare(data, tmp_path / 'out')}")
    for ours, theirs in zip(prepared.pair_batch(torch.arange(6)), data.pair_batch(torch.arange(6)), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Data(_images(channels=1)).with_inputs("grey"), "expected colour images .* got images of one channel"),
        (lambda: Data(_images(side=30)).with_inputs("downscale"), "multiples of 4 for 'downscale', got .* 30 x 30"),
        (lambda: Data(_images(side=31)).with_inputs("half"), "multiples of 2 for 'half', got .* 31 x 31"),
        (lambda: Data(torch.rand(9, 4)).with_inputs("grey"), r"expected images .* by 'grey', got samples \(4,\)"),
        (lambda: Data(_images() * 3).with_inputs("grey"), r"expected images in \[-1, 1\] or of bytes"),
        (lambda: Data(_images()).with_inputs("sepia"), "one of grey, edges, mask, half, downscale, got 'sepia'"),
        (lambda: Data(_images()).with_inputs("half").with_inputs("grey"), "expected data without inputs .* got half"),
        (lambda: Data(_images()).pair(_images()), "expected data with inputs, got data without"),
        (lambda: Data.pairs(_images(5), _images(6)), "an input for each of 6 targets, got 5 inputs"),
        (lambda: Data.pairs(_images(side=16), _images()), "of one size and dtype, got .* 16 x 16 and .* 32 x 32"),
        (lambda: Data.pairs(torch.rand(5, 4), _images()), r"expected inputs \(N, C, H, W\), got \(5, 4\)"),
        (lambda: Data.pairs(_images() * 3, _images()), r"expected pairs of images in \[-1, 1\] or of bytes"),
    ],
)
def test_what_does_not_serve_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
