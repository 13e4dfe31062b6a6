"""Tests for GPUs only: which device, generator and memory the host's code takes for a launch."""

import pytest
import torch

from fastgan import functional as FF

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

several = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs 2 GPUs")


def test_scratch_memory_of_a_reduction_is_torchs_and_is_given_back():
    """The allocator of torch empties its cache where the GPU is full; an allocation beside it would fail then."""
    x = torch.randn(100_000, device="cuda")
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda.synchronize()
        before, held = torch.cuda.memory_stats()["allocation.all.allocated"], torch.cuda.memory_allocated()
        loss = FF.binary_cross_entropy_with_logits(x, 0.9)
        torch.cuda.synchronize()
        assert torch.cuda.memory_stats()["allocation.all.allocated"] - before >= 2  # the scratch and the loss
    del loss
    assert torch.cuda.memory_allocated() == held


def test_reductions_share_scratch_memory_without_mixing_their_sums():
    """The allocator hands the same memory to each, in the stream's order."""
    inputs = [torch.full((200_003,), float(i), device="cuda") for i in range(8)]
    losses = torch.stack([FF.binary_cross_entropy_with_logits(x, 0.0) for x in inputs])
    expected = torch.nn.functional.softplus(torch.arange(8.0, device="cuda"))
    torch.testing.assert_close(losses, expected)


def test_a_graphs_reductions_give_the_same_at_every_replay():
    """The ticket is zeroed by the graph itself, whatever its memory holds at a replay."""
    x = torch.randn(200_003, device="cuda")
    expected = FF.binary_cross_entropy_with_logits(x, 0.9)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        losses = [FF.binary_cross_entropy_with_logits(x, 0.9) for _ in range(3)]
    for _ in range(3):
        graph.replay()
        assert all(torch.equal(loss, expected) for loss in losses)


@several
def test_a_generator_of_another_gpu_is_refused():
    generator = torch.Generator("cuda:1")
    with pytest.raises(RuntimeError, match="expected a generator on cuda:0, got one on cuda:1"):
        FF.dropout(torch.ones(9, device="cuda:0"), generator=generator)


@several
def test_a_capture_on_the_current_gpu_does_not_reach_another_gpus_draws():
    """The random state belongs to the tensor's GPU, whose stream captures nothing."""
    x = torch.ones(4099, device="cuda:1")
    torch.cuda.manual_seed_all(5)
    expected = FF.dropout(x)
    torch.cuda.manual_seed_all(5)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(0), torch.cuda.graph(graph, capture_error_mode="relaxed"):
        torch.ones(9, device="cuda:0")
        got = FF.dropout(x)
    assert torch.equal(got, expected)


@several
def test_a_graph_of_another_gpu_draws_new_masks():
    """The graph captures the offset of the tensor's GPU though that is not the current one."""
    x = torch.ones(4099, device="cuda:1")
    stream, graph = torch.cuda.Stream("cuda:1"), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream), torch.cuda.device(0):
        y = FF.dropout(x)  # on the current stream of cuda:1, which captures
    graph.replay()
    first = y.clone()
    graph.replay()
    torch.cuda.synchronize("cuda:1")
    assert not torch.equal(first, y)
