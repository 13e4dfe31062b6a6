"""Training over NCCL, with a CUDA graph beside it: by one process on one GPU, by several where there are more."""

import datetime as dt

import pytest
import torch
import torch.distributed as dist

import distributed_work as work
from fastgan.train import GANTrainer, distributed
from forked import together

pytestmark = pytest.mark.skipif(
    not (torch.cuda.is_available() and dist.is_available() and dist.is_nccl_available()), reason="needs a GPU"
)

several = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs 2 GPUs")


@pytest.fixture
def group(tmp_path, monkeypatch):
    """This process, joined over NCCL with itself alone. fastgan then communicates as if there were others."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("cpu:gloo,cuda:nccl", store=store, rank=0, world_size=1, timeout=dt.timedelta(seconds=60))
    monkeypatch.setattr(distributed, "_is_distributed", lambda: True)
    yield
    dist.destroy_process_group()


def _weights_after(steps=8, **changes):
    torch.manual_seed(3)
    trainer = GANTrainer(work.config(**{"device": "cuda", "precision": "fp32", **changes}), data=work.images())
    for _ in range(steps):
        trainer.step()
    torch.cuda.synchronize()
    return work.weights(trainer)


@pytest.mark.parametrize("graph", ["off", "on"])
def test_one_process_over_nccl_trains_as_without_a_group(graph, request):
    alone = _weights_after(cuda_graph=graph)
    request.getfixturevalue("group")
    torch.testing.assert_close(_weights_after(cuda_graph=graph), alone, rtol=1e-3, atol=1e-5)


def test_batch_normalisation_over_nccl_in_a_graph_is_that_without(group):
    changes = {"recipe": "dcgan", "sync_batchnorm": True}
    eager, graphed = (_weights_after(cuda_graph=graph, **changes) for graph in ("off", "on"))
    torch.testing.assert_close(graphed, eager, rtol=1e-3, atol=1e-4)


def test_a_collective_over_nccl_is_differentiable_twice(group):
    x = torch.arange(4.0, device="cuda", requires_grad=True)
    (gradient,) = torch.autograd.grad(distributed.all_reduce_mean(x).pow(3).sum(), x, create_graph=True)
    torch.testing.assert_close(gradient, 3 * x.detach() ** 2)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    torch.testing.assert_close(second, 6 * x.detach())


@several
@pytest.mark.parametrize("graph", ["off", "on"])
def test_two_gpus_train_as_one_with_the_joined_batch(graph, tmp_path):
    changes = {"optimizer": "sgd", "lr_g": 0.01, "lr_d": 0.01, "device": "cuda", "cuda_graph": graph}
    together(work.train, tmp_path / "two", changes)
    together(work.train, tmp_path / "one", changes, count=1)
    one, two = (torch.load(tmp_path / name, map_location="cpu") for name in ("one", "two"))
    torch.testing.assert_close(two["weights"], one["weights"], rtol=0, atol=1e-4)


@several
@pytest.mark.parametrize("graph", ["off", "on"])
def test_two_gpus_hold_the_same_bits(graph):
    together(work.compare, {"dropout": 0.3, "device": "cuda", "cuda_graph": graph})
