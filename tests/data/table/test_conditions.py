"""The condition sampler against the frequencies that the paper asks for."""

import numpy as np
import pytest
import torch

from fastgan.data.table.conditions import ConditionSampler, draw_categories, row_conditions
from fastgan.data.table.segments import Segments, one_hot

COUNTS = ((900, 90, 10, 0), (500, 500))


def table():
    """Codes of two columns of categories and one of modes, in a random order."""
    rng = np.random.default_rng(0)
    columns = [rng.permutation(np.repeat(np.arange(len(c)), c)) for c in COUNTS]
    return torch.from_numpy(np.stack([*columns, rng.integers(0, 3, 1000)], 1)), Segments(1, (4, 2, 3), conditions=2)


def test_categories_are_drawn_by_the_logarithm_of_their_frequency_in_columns_drawn_alike():
    codes, segments = table()
    conditions, _ = ConditionSampler(codes, segments).draw(100_000, torch.Generator().manual_seed(0))
    expected = np.concatenate([np.log(np.array(c) + 1.0) / np.log(np.array(c) + 1.0).sum() / 2 for c in COUNTS])
    found = np.bincount(conditions, minlength=6) / 100_000
    # The largest standard error is 0.0014; four of them are passed once in 3,000 fair runs of six categories.
    np.testing.assert_allclose(found, expected, atol=0.0056)
    assert found[3] == 0


def test_rows_fulfil_their_conditions_and_all_rows_of_a_category_are_drawn_alike():
    codes, segments = table()
    conditions, rows = ConditionSampler(codes, segments).draw(200_000, torch.Generator().manual_seed(0))
    places = codes[:, :2] + segments.starts[:2]
    assert (places[rows] == conditions[:, None]).any(1).all()
    rare = rows[conditions == 2]
    found = np.bincount(rare, minlength=1000)[(codes[:, 0] == 2).numpy()] / len(rare)
    np.testing.assert_allclose(found, 0.1, atol=0.01)  # about four standard errors of 17,000 draws


def test_a_draw_is_a_function_of_the_generators_state():
    codes, segments = table()
    sampler = ConditionSampler(codes, segments)
    first, again, other = (sampler.draw(50, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[1], other[1])


def test_without_categories_rows_are_drawn_alike_and_there_is_no_condition():
    conditions, rows = ConditionSampler(torch.zeros(10, 1, dtype=torch.int64), Segments(1, (1,))).draw(10_000)
    assert conditions is None
    np.testing.assert_allclose(np.bincount(rows, minlength=10) / 10_000, 0.1, atol=0.013)


def test_categories_without_weight_are_never_drawn():
    weights = torch.tensor([0.0, 2.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    drawn = draw_categories(weights.cumsum(0), 10_000, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {1, 3}


def test_codes_that_do_not_fit_the_layout_are_refused():
    with pytest.raises(ValueError, match=r"shape \[N, 3\], got \[5, 2\]"):
        ConditionSampler(torch.zeros(5, 2, dtype=torch.int64), table()[1])
    with pytest.raises(ValueError, match=r"got \[0, 3\]"):
        ConditionSampler(torch.zeros(0, 3, dtype=torch.int64), table()[1])


def test_a_rows_condition_is_one_that_it_fulfils_of_any_column():
    codes, segments = table()
    rows = one_hot(torch.zeros(1000, 1), codes, segments)
    places = row_conditions(rows, segments, seed=1)
    assert (rows[torch.arange(1000), segments.scalars + places] == 1).all()
    assert 400 < (places < 4).sum() < 600  # of two columns each is drawn half of the time; six standard errors
    assert torch.equal(row_conditions(rows, segments, seed=1), places)
    assert row_conditions(torch.zeros(3, 4), Segments(1, (3,))) is None


def test_a_code_of_none_is_a_vector_of_zeros():
    rows = one_hot(torch.ones(1, 1), torch.tensor([[-1, 1]]), Segments(1, (2, 3)))
    assert rows.tolist() == [[1, 0, 0, 0, 1, 0]]
