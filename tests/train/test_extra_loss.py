"""The term that a caller adds to G's loss."""

import torch
from torch import nn

from fastgan.train.config import TrainConfig
from fastgan.train.step import GANStep


def test_an_extra_loss_moves_g_and_not_d():
    weights = []
    for extra in (0.0, 5.0):
        torch.manual_seed(0)
        networks = [nn.Sequential(nn.Linear(4, 3)), nn.Linear(3, 1)]
        step = GANStep(TrainConfig(optimizer="sgd", lr_g=0.1), *networks)
        bias = networks[0][0].bias
        if extra:
            step.extra_loss_g = lambda bias=bias: 5.0 * bias.sum()
        before = bias.detach().clone()
        step([(torch.randn(8, 3), None)], [torch.randn(8, 4)])
        weights.append((bias.detach() - before, [p.detach().clone() for p in networks[1].parameters()]))
    torch.testing.assert_close(weights[1][0] - weights[0][0], torch.full((3,), -0.5))  # the learning rate times 5
    assert all(map(torch.equal, weights[0][1], weights[1][1]))
