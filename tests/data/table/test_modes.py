"""Mixtures and modes against a mixture that is known, and numbers of all sizes."""

import numpy as np
import pytest

from fastgan.data.table.mixtures import fit_mixtures
from fastgan.data.table.modes import Modes, Normaliser


def test_a_known_mixture_is_found_in_each_of_several_columns():
    rng = np.random.default_rng(0)
    columns = [
        scale * np.concatenate((rng.normal(first, 1, 6000), rng.normal(second, 0.5, 4000)))
        for first, second, scale in ((-6, 6, 1), (0, 9, 1e6))
    ]
    found = fit_mixtures(columns, modes=2)
    # Standard errors are 0.005 of the weights and 0.013 of the means, in units of 1 and 1e6.
    np.testing.assert_allclose(found.weights, [[0.6, 0.4]] * 2, atol=0.03)
    np.testing.assert_allclose(found.means / [[1], [1e6]], [[-6, 6], [0, 9]], atol=0.08)
    np.testing.assert_allclose(found.stds, [[1, 0.5], [1e6, 0.5e6]], rtol=0.1)


def test_a_mixture_of_many_modes_has_the_likelihood_of_the_density_it_was_drawn_from():
    rng = np.random.default_rng(0)
    x = rng.lognormal(0, 1, 20000)
    found = fit_mixtures([x])
    z = (x[:, None] - found.means) / found.stds
    density = (found.weights / found.stds / np.sqrt(2 * np.pi) * np.exp(-0.5 * z**2)).sum(1)
    true = np.exp(-0.5 * np.log(x) ** 2) / x / np.sqrt(2 * np.pi)
    # In nats a row; one Gaussian alone loses more than 0.6.
    assert np.log(true).mean() - np.log(density).mean() < 0.1


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("shift", [0.0, -5.0, 1e3])
def test_numbers_come_back_to_a_millionth_of_their_spread(scale, shift):
    rng = np.random.default_rng(0)
    x = scale * (shift + np.concatenate((rng.normal(0, 1, 3000), rng.exponential(2, 3000))))
    normaliser = Normaliser.fit([x])
    scalars, codes = normaliser.apply(x[:, None])
    back = normaliser.invert(scalars, codes)[:, 0]
    assert (np.abs(back - x) <= 1e-6 * x.std()).all()


def test_missing_values_are_a_mode_of_their_own():
    normaliser = Normaliser([Modes((0.0,), (1.0,), (5.0,), (1.0,), (4.0,)), Modes((), (1.0,), (0.0,), (2.0,), (8.0,))])
    x = np.array([[0.0, 4.0], [np.nan, np.nan], [7.0, -80.0]])
    scalars, codes = normaliser.apply(x)
    assert codes.tolist() == [[0, 0], [2, 1], [1, 0]]
    assert scalars.tolist() == [[0, 0.5], [0, 0], [0.5, -1]]
    np.testing.assert_array_equal(normaliser.invert(scalars, codes), [[0, 4], [np.nan, np.nan], [7, -8]])


@pytest.mark.parametrize("x", [[1.0], [3.0, 3.0], [1.0, 2.0], [0.0] * 50 + [1.0], [1e300, -1e300, 0.0]])
def test_few_numbers_come_back_exactly(x):
    normaliser = Normaliser.fit([np.array(x)])
    back = normaliser.invert(*normaliser.apply(np.array(x)[:, None]))[:, 0]
    np.testing.assert_allclose(back, x, rtol=1e-6)


def test_integers_of_few_values_are_modes_without_width():
    x = np.random.default_rng(0).integers(0, 30, 3000).astype(float)
    modes = Normaliser.fit([x]).modes[0]
    assert len(modes.atoms) == 20
    assert not set(modes.atoms) - set(x)
