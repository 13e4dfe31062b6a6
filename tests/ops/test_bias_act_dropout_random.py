"""Op bias_act_dropout: its masks as functions of seed, offset, generator and layout."""

import copy

import numpy as np
import pytest
import torch
import torch.utils.checkpoint

import reference
from fastgan import functional as FF
from fastgan import nn as fnn


def mask(y):
    return (y != 0).cpu()


@pytest.mark.parametrize("size", [1, 8, 129, 70_000])
@pytest.mark.parametrize("p", [2.0**-16, 0.25, 0.3, 0.999])
@pytest.mark.parametrize(("seed", "offset"), [(0, 0), (1, 2**40 + 3), (2**63 - 1, 2**63 - 1)])
def test_mask_is_the_references_bit_for_bit(device, size, p, seed, offset):
    y = FF.dropout(torch.ones(size, device=device), p, seed=seed, offset=offset)
    np.testing.assert_array_equal(mask(y).numpy(), reference.keep((size,), (1,), p, seed, offset))


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 9, 4, 4), (4, 16, 3, 5, 2)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_masks_of_feature_maps_are_the_references_in_any_layout(device, shape, channels_last):
    x = torch.ones(shape, device=device)
    if channels_last and x.dim() > 3:
        x = x.contiguous(memory_format=torch.channels_last if x.dim() == 4 else torch.channels_last_3d)
    dropout = {3: FF.dropout1d, 4: FF.dropout2d, 5: FF.dropout3d}[x.dim()]
    y = dropout(x, 0.4, seed=8, offset=1)
    expected = reference.keep(shape, x.stride(), 0.4, 8, 1, feature=True)
    np.testing.assert_array_equal(mask(y).numpy(), expected)


def test_a_sample_without_a_batch_is_a_batch_of_one(device):
    x = torch.ones(6, 10, device=device)
    assert torch.equal(FF.dropout1d(x, 0.5, seed=3), FF.dropout1d(x[None], 0.5, seed=3)[0])
    volume = torch.ones(6, 2, 3, 4, device=device)
    assert torch.equal(FF.dropout3d(volume, 0.5, seed=3), FF.dropout3d(volume[None], 0.5, seed=3)[0])
    in_place = volume.clone()
    assert FF.dropout3d(in_place, 0.5, inplace=True, seed=3) is in_place
    assert torch.equal(in_place, FF.dropout3d(volume, 0.5, seed=3))


def test_share_of_kept_elements(device):
    # For each p 10^6 draws and a bound of 5 standard deviations. All four together fail by chance with p < 4e-6.
    for p in (0.1, 0.3, 0.5, 0.9):
        share = mask(FF.dropout(torch.ones(10**6, device=device), p, seed=12)).double().mean().item()
        assert abs(share - (1 - p)) < 5 * (p * (1 - p) / 10**6) ** 0.5


def test_expectation_is_exact_for_the_quantised_probability(device):
    y = FF.dropout(torch.ones(1000, device=device, dtype=torch.float64), 0.3, seed=1)
    threshold = round(0.3 * 65536)
    assert y.max().item() == 65536 / (65536 - threshold)


def test_seed_offset_and_element_all_matter(device):
    x = torch.ones(4096, device=device)
    one = mask(FF.dropout(x, 0.5, seed=1))
    assert torch.equal(one, mask(FF.dropout(x, 0.5, seed=1)))
    assert torch.equal(one[:1000], mask(FF.dropout(x[:1000], 0.5, seed=1)))
    for other in ({"seed": 2}, {"seed": 1 + 2**32}, {"seed": 1, "offset": 1}, {"seed": 1, "offset": 2**32}):
        different = (one != mask(FF.dropout(x, 0.5, **other))).double().mean().item()
        assert 0.45 < different < 0.55  # 6.4 standard deviations


def test_manual_seed_repeats_and_calls_differ(device):
    x = torch.ones(1000, device=device)
    torch.manual_seed(5)
    first, second = mask(FF.dropout(x)), mask(FF.dropout(x))
    torch.manual_seed(5)
    assert torch.equal(first, mask(FF.dropout(x)))
    assert not torch.equal(first, second)


def test_generator(device):
    x = torch.ones(1000, device=device)
    before = torch.get_rng_state()
    generator = torch.Generator(device).manual_seed(3)
    one = mask(FF.dropout(x, generator=generator))
    two = mask(FF.dropout(x, generator=generator))
    assert not torch.equal(one, two)
    assert torch.equal(one, mask(FF.dropout(x, generator=generator.manual_seed(3))))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "call",
    [
        lambda x: FF.dropout(x, 0.5, seed=1),
        lambda x: FF.dropout(x, 0.5, training=False),
        lambda x: FF.dropout(x, 0.0),
        lambda x: FF.dropout(x, 1.0),
        lambda x: FF.leaky_relu(x, 0.2),
        lambda x: FF.leaky_relu_dropout(x, 0.2, 0.5, training=False),
    ],
)
def test_nothing_is_drawn(call):
    before = torch.get_rng_state()
    call(torch.ones(64))
    assert torch.equal(before, torch.get_rng_state())


def test_checkpoint_recomputes_the_same_mask(device):
    x = torch.randn(1000, device=device, requires_grad=True)
    seen = []

    def block(t):
        y = FF.leaky_relu_dropout(t * 2, 0.2, 0.5)
        seen.append(mask(y))
        return y

    with torch.utils.checkpoint.set_checkpoint_early_stop(False):
        torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False).sum().backward()
    assert len(seen) == 2
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(mask(x.grad), seen[0])


def test_compiled_dropouts_with_equal_arguments_differ(device):
    def two(x):
        return FF.dropout(x, 0.5), FF.dropout(x, 0.5)

    a, b = torch.compile(two, fullgraph=True, backend="aot_eager")(torch.ones(1000, device=device))
    assert not torch.equal(mask(a), mask(b))


@pytest.mark.parametrize("inplace", [False, True])
def test_compiled_equals_eager_for_any_seed_without_another_compilation(device, inplace):
    compilations = []

    def backend(graph, inputs):
        compilations.append(graph)
        return graph.forward

    def layer(x, seed):
        return FF.leaky_relu_dropout(x * 2, 0.2, 0.5, inplace=inplace, seed=seed)

    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    x = torch.randn(100, device=device, requires_grad=True)
    for seed in range(6):
        results = []
        for run in (layer, compiled):
            y = run(x, seed)
            results.append((y.detach(), *torch.autograd.grad(y.sum(), x)))
        assert torch.equal(results[0][0], results[1][0])
        assert torch.equal(results[0][1], results[1][1])
    assert len(compilations) <= 3  # Dynamo specialises on 0 and 1, then compiles once for any integer


def test_a_transform_inside_a_compiled_function(device):
    def gradient(x):
        return torch.func.grad(lambda t: FF.leaky_relu_dropout(t, 0.2, 0.5, seed=1).square().sum())(x)

    x = torch.randn(100, device=device)
    compiled = torch.compile(gradient, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), gradient(x))


def test_autocast_keeps_the_inputs_dtype(device):
    with torch.autocast(device, dtype=torch.bfloat16):
        assert FF.leaky_relu_dropout(torch.ones(8, device=device), 0.2, 0.5).dtype == torch.float32
        assert FF.dropout(torch.ones(8, device=device, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_a_deep_copied_layer_draws_from_the_same_generator():
    layer = fnn.LeakyReLUDropout(0.2, 0.5)
    x = torch.ones(1000)
    torch.manual_seed(1)
    one = mask(layer(x))
    torch.manual_seed(1)
    assert torch.equal(one, mask(copy.deepcopy(layer)(x)))
