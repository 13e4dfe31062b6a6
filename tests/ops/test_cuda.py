"""Tests for GPUs only: streams, graphs, CUDA generators, several devices, tensors of more than 2^31 elements."""

import numpy as np
import pytest
import torch

import reference
from fastgan import functional as FF

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

several = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs 2 GPUs")


def need_gib(gib):
    torch.cuda.empty_cache()  # memory of earlier tests
    if torch.cuda.mem_get_info()[0] < gib * 2**30:
        pytest.skip(f"needs {gib} GiB")


def ones(size=4099, **settings):
    return torch.ones(size, device="cuda", **settings)


# ---- generators


def test_manual_seed_and_generators_fix_the_mask():
    torch.cuda.manual_seed(5)
    first, second = FF.dropout(ones()), FF.dropout(ones())
    assert not torch.equal(first, second)
    torch.cuda.manual_seed(5)
    assert torch.equal(FF.dropout(ones()), first)
    generator = torch.Generator("cuda").manual_seed(5)
    assert torch.equal(FF.dropout(ones(), generator=generator), first)
    assert torch.equal(FF.dropout(ones(), generator=generator), second)


def test_a_generator_of_the_cpu_is_refused():
    with pytest.raises(RuntimeError, match="expected a generator on cuda"):
        FF.dropout(ones(), generator=torch.Generator())


def test_counters_are_torchs_own():
    """The offset of a generator counts words, four for each Philox block, so no torch kernel uses a block again."""
    generator = torch.Generator("cuda").manual_seed(77)
    generator.set_offset(40)
    y = FF.dropout(ones(), 0.3, generator=generator)
    np.testing.assert_array_equal((y != 0).cpu().numpy(), reference.keep((4099,), (1,), 0.3, 77, 10))
    assert generator.get_offset() == 44


def test_nothing_is_drawn_where_nothing_is_random():
    before = torch.cuda.get_rng_state()
    FF.dropout(ones(), 0.5, seed=1)
    FF.dropout(ones(), 0.5, training=False)
    FF.dropout(ones(), 0.0)
    FF.leaky_relu(ones())
    assert torch.equal(torch.cuda.get_rng_state(), before)


# ---- streams


def step(x, seed=9):
    """Run a forward, a loss and a backward: every kind of kernel, those with a ticket for the last block included."""
    leaf = x.detach().requires_grad_()
    hidden = FF.leaky_relu_dropout(leaf, 0.2, 0.3, seed=seed)
    loss, statistics = FF.discriminator_loss(hidden[: len(x) // 3], hidden[len(x) // 3 :])
    loss = loss + FF.binary_cross_entropy_with_logits(hidden, 1.0)
    return [loss.detach(), statistics, *torch.autograd.grad(loss, leaf)]


def assert_all_equal(got, expected):
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert torch.equal(a, b)


def test_other_streams_give_the_same_bits():
    """Many launches run on two streams at once. Each has its own ticket and partial sums."""
    inputs = [torch.randn(200_003, device="cuda") for _ in range(2)]
    expected = [step(x) for x in inputs]
    streams = [torch.cuda.Stream() for _ in inputs]
    torch.cuda.synchronize()
    results = []
    for _ in range(20):
        for stream, x in zip(streams, inputs, strict=True):
            with torch.cuda.stream(stream):
                results.append(step(x))
    torch.cuda.synchronize()
    for i, result in enumerate(results):
        assert_all_equal(result, expected[i % 2])


def test_work_waits_for_its_stream():
    """A kernel that did not run on the current stream would read `x` before it is written."""
    stream = torch.cuda.Stream()
    x = torch.zeros(1_000_000, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # cycles
        x.fill_(1.0)
        y = FF.leaky_relu(x)
    torch.cuda.synchronize()
    assert bool((y == 1).all())


# ---- graphs


def captured(work):
    """Return a CUDA graph of `work`, after a warm-up on another stream as torch asks, and the outputs of `work`."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = work()
    return graph, outputs


def two_masks():
    return [FF.dropout(ones(), 0.3), FF.dropout2d(ones((64, 32, 3, 3)), 0.5)]


def test_replays_draw_what_eager_calls_draw():
    graph, outputs = captured(two_masks)
    torch.cuda.manual_seed(3)
    replays = []
    for _ in range(4):
        graph.replay()
        replays.append([y.clone() for y in outputs])
    torch.cuda.manual_seed(3)
    for i, replay in enumerate(replays):
        assert_all_equal(replay, two_masks())
        for other in replays[:i]:
            for a, b in zip(replay, other, strict=True):
                assert not torch.equal(a, b)


def test_an_explicit_seed_is_the_same_in_every_replay():
    graph, (y,) = captured(lambda: [FF.dropout(ones(), 0.3, seed=4, offset=6)])
    for _ in range(2):
        graph.replay()
        np.testing.assert_array_equal((y != 0).cpu().numpy(), reference.keep((4099,), (1,), 0.3, 4, 6))


def test_a_captured_step_follows_its_input():
    """Replay with new values in the same memory, each twice, because a replay must reset the tickets."""
    x = torch.randn(30_001, device="cuda")
    graph, outputs = captured(lambda: step(x))
    for _ in range(3):
        x.normal_()
        expected = step(x)
        for _ in range(2):
            graph.replay()
            assert_all_equal(outputs, expected)


def test_two_graphs_do_not_share_scratch_memory():
    inputs = [torch.randn(200_003, device="cuda") for _ in range(2)]
    expected = [step(x) for x in inputs]
    graphs = [captured(lambda x=x: step(x)) for x in inputs]
    streams = [torch.cuda.Stream() for _ in inputs]
    torch.cuda.synchronize()
    for _ in range(10):
        for stream, (graph, _) in zip(streams, graphs, strict=True):
            with torch.cuda.stream(stream):
                graph.replay()
    torch.cuda.synchronize()
    for (_, outputs), wanted in zip(graphs, expected, strict=True):
        assert_all_equal(outputs, wanted)


# ---- precision


def test_autocast_and_grad_scaler():
    discriminator = torch.nn.Linear(32, 1, device="cuda")
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda", init_scale=128.0)
    real, fake = torch.randn(64, 32, device="cuda"), torch.randn(64, 32, device="cuda")
    before = discriminator.weight.detach().clone()
    with torch.autocast("cuda", dtype=torch.float16):
        logits = [FF.leaky_relu_dropout(discriminator(x), 0.2, 0.3) for x in (real, fake)]
        assert logits[0].dtype == torch.float16
        loss, _ = FF.discriminator_loss(*logits)
        single = FF.binary_cross_entropy_with_logits(logits[0], 1.0)
    assert (loss.dtype, single.dtype) == (torch.float32, torch.float32)
    scaler.scale(loss + single).backward()
    scaler.step(optimizer)
    scaler.update()
    assert not torch.equal(discriminator.weight, before)
    assert bool(discriminator.weight.isfinite().all())


def test_sums_do_not_change_from_run_to_run():
    x = torch.randn(3_000_017, device="cuda")
    first = step(x)
    for _ in range(10):
        assert_all_equal(step(x), first)


# ---- other devices


@several
def test_the_other_device_gives_the_same_bits():
    """The first device is the current one meanwhile."""
    x = torch.randn(70_001, device="cuda:0")
    expected = step(x)
    with torch.cuda.device(0):
        got = step(x.to("cuda:1"))
    assert all(tensor.device == torch.device("cuda", 1) for tensor in got)
    assert_all_equal([tensor.to("cuda:0") for tensor in got], expected)


@several
def test_tensors_of_two_devices_are_refused():
    with pytest.raises(RuntimeError, match="expected bias on cuda:0, got cuda:1"):
        FF.leaky_relu_dropout(ones((4, 3)), bias=torch.zeros(3, device="cuda:1"))


# ---- beyond 2^31 elements

HUGE = 2**31 + 2**20 + 5


def test_masks_beyond_two_to_the_31():
    need_gib(12)
    x = ones(HUGE, dtype=torch.float16)
    y = FF.dropout(x, 0.25, seed=2**40, inplace=True)
    last = 100_003  # number of elements compared, rounded to whole octets
    first = (HUGE - last) // 8 * 8
    octet = np.arange(first // 8, (HUGE + 7) // 8, dtype=np.uint64)
    counter = (np.zeros_like(octet), np.zeros_like(octet), octet & reference.MASK32, octet >> np.uint64(32))
    words = reference.philox4x32(counter, (0, 2**8))
    draws = np.stack([half for word in words for half in (word & np.uint64(0xFFFF), word >> np.uint64(16))], axis=-1)
    kept = draws.reshape(-1)[: HUGE - first] >= reference.threshold(0.25)
    np.testing.assert_array_equal((y[first:] != 0).cpu().numpy(), kept)


def test_activation_and_its_gradient_beyond_two_to_the_31():
    need_gib(20)
    x = torch.full((HUGE,), -1.0, device="cuda", dtype=torch.bfloat16)
    x[-3:] = 2.0
    x.requires_grad_()
    y = FF.leaky_relu(x, 0.25)
    y.backward(y.detach())
    assert y[-5:].tolist() == [-0.25, -0.25, 2.0, 2.0, 2.0]
    assert x.grad[-5:].tolist() == [-0.0625, -0.0625, 2.0, 2.0, 2.0]
    assert x.grad[:2].tolist() == [-0.0625, -0.0625]


def test_losses_beyond_two_to_the_31():
    need_gib(12)
    x = torch.zeros(HUGE, device="cuda", dtype=torch.bfloat16)
    x[-1] = 100.0
    x.requires_grad_()
    loss, statistics = FF.discriminator_loss(x, x[:8].detach())
    loss.backward()
    assert loss.item() == pytest.approx(2 * np.log(2), rel=1e-6)
    assert statistics.tolist() == pytest.approx([0.5, 0.5, 0.0, 0.0], abs=1e-6)
    assert x.grad[-1].item() == 0.0
    assert x.grad[-2].item() == pytest.approx(-0.5 / HUGE, rel=1e-2)
    single = FF.binary_cross_entropy_with_logits(x.detach(), 1.0)
    assert single.item() == pytest.approx(np.log(2), rel=1e-2)
