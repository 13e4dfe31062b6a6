"""The gradient penalties: their weights, and the share of a batch that they take."""

from functools import partial

import pytest
import torch
from torch import nn

from fastgan.losses import gradient_penalty, r1_penalty
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.augment import pack
from fastgan.train.conditions import judge
from fastgan.train.optimizers import Schedules
from fastgan.train.penalties import Penalties

COUNT = 24


class Discriminator(nn.Module):
    """Logits of packs of rows and labels; `seen` has the numbers of packs of all calls."""

    def __init__(self, packed):
        super().__init__()
        self.layer, self.of_class = nn.Linear(3 * packed, 1), nn.Embedding(5, 1)
        self.seen, self.packed = [], packed

    def forward(self, x, labels):
        self.seen.append(len(x))
        return self.layer(x).sigmoid() * (1 + self.of_class(labels[:: self.packed]))


def _made(**settings):
    """Penalties, and the discriminator and samples that they are of."""
    torch.manual_seed(0)
    config = TrainConfig(batch_size=COUNT, **settings)
    discriminator = Discriminator(config.pack)
    schedules = Schedules(config, (), torch.device("cpu"))
    found = Penalties(config, schedules, discriminator, lambda x: pack(x, config.pack))
    return found, discriminator, torch.randn(COUNT, 3), torch.randn(COUNT, 3), torch.randint(5, (COUNT,))


@pytest.mark.parametrize(("share", "packed", "taken"), [(1.0, 1, 24), (0.25, 1, 6), (0.001, 1, 1), (0.3, 4, 2)])
@pytest.mark.parametrize("joint", [False, True])
def test_a_share_of_the_batch_is_penalised_in_whole_packs(share, packed, taken, joint):
    penalties, discriminator, real, fake, labels = _made(
        r1_gamma=0.5, r2_gamma=0.5, r1_interval=3, penalty_share=share, pack=packed
    )
    found = sum(penalties(real, fake, labels, due=True, joint=joint))
    assert discriminator.seen == ([2 * taken] if joint else [taken, taken])
    rows = taken * packed
    critic = partial(judge, discriminator, condition=labels[:rows])
    expected = sum(0.5 * 3 * r1_penalty(critic, pack(samples[:rows], packed)) for samples in (real, fake))
    torch.testing.assert_close(found, expected)


def test_the_share_holds_for_the_penalty_of_wgan_gp_too():
    penalties, discriminator, real, fake, labels = _made(gp_weight=10.0, penalty_share=0.5)
    torch.manual_seed(1)
    (found,) = penalties(real, fake, labels, due=True, joint=True)
    torch.manual_seed(1)
    critic = partial(judge, discriminator, condition=labels[:12])
    torch.testing.assert_close(found, 10 * gradient_penalty(critic, real[:12], fake[:12]))


def test_r1_and_r2_are_left_out_of_updates_in_which_they_are_not_due():
    penalties, discriminator, real, fake, labels = _made(r1_gamma=0.5, r2_gamma=0.1)
    assert penalties(real, fake, labels, due=False, joint=True) == []
    assert discriminator.seen == []
    assert len(penalties(real, fake, labels, due=True, joint=True)) == 2


def test_a_share_changes_the_training_and_the_whole_batch_is_the_default():
    def weights(**settings):
        data = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
        trainer = GANTrainer(TrainConfig(batch_size=8, r1_gamma=5.0, dropout=0.0, device="cpu", **settings), data=data)
        for _ in range(2):
            trainer.step()
        return torch.cat([p.detach().flatten() for p in trainer.discriminator.parameters()])

    assert torch.equal(weights(), weights(penalty_share=1.0))
    assert not torch.equal(weights(), weights(penalty_share=0.5))
