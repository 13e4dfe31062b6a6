"""Op column_heads: where its noise comes from."""

import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.utils.checkpoint

from fastgan import functional as FF

LAYOUT = (1, (3, 5))


class Watched:
    """Something that a weak reference can point at."""


def test_manual_seed_repeats_and_calls_differ(device):
    x = torch.zeros(100, 9, device=device)
    torch.manual_seed(5)
    first, second = (FF.column_heads(x, *LAYOUT) for _ in range(2))
    torch.manual_seed(5)
    assert torch.equal(first, FF.column_heads(x, *LAYOUT))
    assert not torch.equal(first, second)


def test_generator(device):
    x = torch.zeros(100, 9, device=device)
    before = torch.get_rng_state()
    generator = torch.Generator(device).manual_seed(3)
    one, two = (FF.column_heads(x, *LAYOUT, generator=generator) for _ in range(2))
    assert not torch.equal(one, two)
    assert torch.equal(one, FF.column_heads(x, *LAYOUT, generator=generator.manual_seed(3)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "call",
    [
        lambda x: FF.column_heads(x, *LAYOUT, seed=1),
        lambda x: FF.column_heads(x, 9, ()),
        lambda x: FF.column_heads(x[:0], *LAYOUT),
    ],
)
def test_nothing_is_drawn(call):
    before = torch.get_rng_state()
    call(torch.ones(64, 9))
    assert torch.equal(before, torch.get_rng_state())


def test_checkpoint_recomputes_the_same_noise(device):
    x = torch.randn(50, 9, device=device, requires_grad=True)
    seen = []

    def block(t):
        y = FF.column_heads(t * 2, *LAYOUT)
        seen.append(y.detach())
        return y

    with torch.utils.checkpoint.set_checkpoint_early_stop(False):
        torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False).square().sum().backward()
    assert len(seen) == 2
    assert torch.equal(seen[0], seen[1])


def test_compiled_calls_with_equal_arguments_differ(device):
    def two(x):
        return FF.column_heads(x, *LAYOUT), FF.column_heads(x, *LAYOUT)

    a, b = torch.compile(two, fullgraph=True, backend="aot_eager")(torch.ones(50, 9, device=device))
    assert not torch.equal(a, b)


def test_any_seed_is_compiled_without_another_compilation(device):
    compilations = []

    def backend(graph, inputs):
        compilations.append(graph)
        return graph.forward

    compiled = torch.compile(
        lambda x, seed: FF.column_heads(x * 1, *LAYOUT, seed=seed), fullgraph=True, backend=backend
    )
    x = torch.randn(20, 9, device=device)
    for seed in range(6):
        assert torch.equal(compiled(x, seed), FF.column_heads(x, *LAYOUT, seed=seed))
    assert len(compilations) <= 3  # Dynamo specialises on 0 and 1, then compiles once for any integer


def test_eight_threads_give_what_one_does():
    def work(seed):
        x = torch.randn(33 + seed, 9, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        y = FF.column_heads(x, *LAYOUT, seed=seed)
        loss = y.square().sum() + FF.condition_loss(x, torch.arange(33 + seed) % 8, *LAYOUT)
        return y.detach(), torch.autograd.grad(loss, x)[0]

    alone = [work(seed) for seed in range(32)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, range(32)))
    for a, b in zip(alone, together, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def test_a_result_that_is_never_differentiated_is_freed():
    """The node saves its own output. Saved like an input, the two would keep each other alive."""
    x = torch.randn(4, 9, requires_grad=True)
    hidden = x * 1
    freed = []
    hidden.grad_fn.metadata["watched"] = watched = Watched()
    weakref.finalize(watched, freed.append, True)
    y = FF.column_heads(hidden, *LAYOUT)
    del hidden, watched
    assert not freed
    del y
    assert freed


def test_the_graph_is_freed_and_can_be_kept(device):
    x = torch.randn(4, 9, device=device, requires_grad=True)
    loss = FF.column_heads(x, *LAYOUT).square().sum()
    loss.backward(retain_graph=True)
    first = x.grad.clone()
    loss.backward()
    torch.testing.assert_close(x.grad, 2 * first)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_result_that_was_overwritten_is_noticed(device):
    x = torch.randn(4, 9, device=device, requires_grad=True)
    y = FF.column_heads(x, *LAYOUT)
    loss = y.sum()
    with torch.no_grad():
        y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
