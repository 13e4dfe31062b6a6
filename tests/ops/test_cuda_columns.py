"""The CUDA kernels of a table's columns against the CPU kernels, and in CUDA graphs."""

import pytest
import torch

from fastgan import functional as FF

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

DEVICES = ("cuda", "cpu")
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
# Teams of 4, 8, 16 and 32 lanes; segments of one column, of more than a lane holds, and none.
LAYOUTS = [(2, (3, 1, 7)), (70, ()), (1, (6, 8, 5, 3)), (33, (17, 9)), (5, (300, 2, 33)), (0, (1,))]
ROUNDING = {torch.float32: 0.0, torch.float64: 0.0, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}


def assert_near(got, expected, dtype, slack):
    """Within the dtype's rounding, and `slack` of the arithmetic's."""
    epsilon = torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps
    torch.testing.assert_close(
        got.cpu().double(), expected.double(), rtol=2 * ROUNDING[dtype], atol=slack * epsilon + 2.0**-24
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("rows", [1, 33, 5003])
def test_column_heads(dtype, layout, rows):
    x = (2 * torch.randn(rows, layout[0] + sum(layout[1]))).to(dtype)
    got, y = (FF.column_heads(x.to(device), *layout, 0.5, seed=2**62 + 5, offset=2**40 + 3) for device in DEVICES)
    assert_near(got, y, dtype, 400)
    # The gradient is that of the output as it was rounded, so both devices take the same.
    grad = torch.randn_like(x)
    backward = torch.ops.fastgan.column_heads_backward
    got, expected = (backward(grad.to(device), y.to(device), *layout, 0.5) for device in DEVICES)
    assert_near(got, expected, dtype, 400)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout[1]], ids=str)
@pytest.mark.parametrize("rows", [1, 33, 5003])
def test_condition_loss(dtype, layout, rows):
    x = (2 * torch.randn(rows, layout[0] + sum(layout[1]))).to(dtype)
    conditions = torch.randint(sum(layout[1]), (rows,))
    results = []
    for device in DEVICES:
        leaf = x.to(device).requires_grad_()
        loss = FF.condition_loss(leaf, conditions.to(device), *layout)
        results.append((loss.detach(), *torch.autograd.grad(loss, leaf)))
    assert_near(results[0][0], results[1][0], torch.float64 if dtype == torch.float64 else torch.float32, 20)
    assert_near(results[0][1], results[1][1], dtype, 20)


def test_replays_of_a_graph_draw_new_noise_as_eager_calls_do():
    x = torch.randn(100, 12, device="cuda")
    FF.column_heads(x, 2, (4, 6))  # the layout comes to the GPU
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = FF.column_heads(x, 2, (4, 6))
    torch.cuda.manual_seed(3)
    replays = []
    for _ in range(3):
        graph.replay()
        replays.append(y.clone())
    torch.cuda.manual_seed(3)
    assert all(torch.equal(FF.column_heads(x, 2, (4, 6)), replay) for replay in replays)
    assert not torch.equal(replays[0], replays[1])


def test_new_widths_during_a_capture_are_refused():
    x = torch.randn(10, 11, device="cuda")
    expected = "expected the first call with these widths before a CUDA graph"
    with pytest.raises(RuntimeError, match=expected), torch.cuda.graph(torch.cuda.CUDAGraph()):
        FF.column_heads(x, 0, (1, 2, 3, 5))


def test_a_step_copies_nothing_from_the_host():
    x = torch.randn(100, 12, device="cuda")
    conditions = torch.zeros(100, dtype=torch.int64, device="cuda")
    for _ in range(2):
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            FF.column_heads(x, 2, (4, 6))
            FF.condition_loss(x, conditions, 2, (4, 6))
            torch.cuda.synchronize()
    assert not [event.key for event in profile.key_averages() if "Memcpy" in event.key]
