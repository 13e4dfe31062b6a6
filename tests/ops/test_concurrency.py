"""Ops called from many threads and processes at once give the same results as called alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.utils.data import DataLoader

from fastgan import functional as FF
from loaded_masks import Masks

SIZES = [1, 9, 4097, 70_000]  # below and above the size from which an op uses several threads


def _work(seed):
    """Run every op forward and backward, as a function of a seed."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(SIZES[seed % len(SIZES)], generator=generator, requires_grad=True)
    y = FF.leaky_relu_dropout(x, 0.2, 0.3, seed=seed)
    loss = FF.binary_cross_entropy_with_logits(y, 1.0) + FF.discriminator_loss(y, x)[0]
    loss = loss + FF.binary_cross_entropy(torch.sigmoid(x), 0.5) + FF.generator_loss(y)
    (gradient,) = torch.autograd.grad(loss, x)
    return y.detach(), loss.detach(), gradient


def test_eight_threads_give_what_one_does():
    alone = [_work(seed) for seed in range(64)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(_work, range(64)))
    for a, b in zip(alone, together, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("generator", [torch.Generator(), None], ids=["given", "default"])
def test_a_generator_shared_by_threads_gives_each_call_its_own_bits(generator):
    (generator or torch.default_generator).manual_seed(1)
    with ThreadPoolExecutor(8) as pool:
        masks = list(pool.map(lambda _: FF.dropout(torch.ones(256), 0.5, generator=generator), range(200)))
    together = {mask.numpy().tobytes() for mask in masks}
    (generator or torch.default_generator).manual_seed(1)
    alone = {FF.dropout(torch.ones(256), 0.5, generator=generator).numpy().tobytes() for _ in range(200)}
    assert len(together) == 200
    assert together == alone  # the same masks, in any order


def test_autograds_own_threads_may_run_the_backward():
    def loss(_):
        x = torch.full((5000,), 2.0, requires_grad=True)
        FF.leaky_relu_dropout(x, 0.2, 0.5, seed=3).sum().backward()
        return x.grad

    expected = loss(0)
    with ThreadPoolExecutor(8) as pool:
        assert all(torch.equal(gradient, expected) for gradient in pool.map(loss, range(64)))


def test_threads_that_write_neighbouring_slices_do_not_race():
    """No store is wider than the rest of its slice. ThreadSanitizer would report such a store as a race."""
    sizes = [1, 7, 9, 63, 130, 1025, 4097, 8]
    buffer = torch.randn(sum(sizes))
    expected = torch.where(buffer > 0, buffer, 0.25 * buffer)
    with ThreadPoolExecutor(8) as pool:
        for piece in pool.map(lambda part: FF.leaky_relu(part, 0.25, inplace=True), torch.split(buffer, sizes)):
            assert piece._base is buffer
    assert torch.equal(buffer, expected)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_of_a_data_loader_give_the_same_as_this_process(context):
    # Computed first, so that this process has threads when it forks; the fork does not copy them.
    expected = torch.stack([Masks()[i] for i in range(12)])
    loader = DataLoader(Masks(), batch_size=3, num_workers=2, multiprocessing_context=context)
    assert torch.equal(torch.cat(list(loader)), expected)


# The last test: its helpers stay, and ThreadSanitizer lets no child of a process with threads start threads.
def test_callers_of_divided_products_get_what_one_gets():
    torch.set_num_threads(1)
    a, b = torch.randn(1001, 256), torch.randn(256, 257)
    product = torch.ops.fastgan.product
    expected = product(a, b, None, 1)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: product(a, b, None, 1 + i % 4), range(40)))
    assert all(torch.equal(result, expected) for result in found)
