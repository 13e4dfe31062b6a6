"""Networks that do not fit are named before the training, with what to do."""

import pytest
import torch
from torch import nn

from fastgan.models import NETWORKS, TABULAR
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.checks import check_networks


def _generator(*last):
    return nn.Sequential(nn.Linear(8, 64), nn.Unflatten(1, (1, 8, 8)), *last)


def _discriminator(*last):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 1), *last)


class Lambda(nn.Module):
    """A network that calls a function of its one layer and the input."""

    def __init__(self, function, inputs=64):
        super().__init__()
        self.layer, self.function = nn.Linear(inputs, 1), function

    def forward(self, x):
        return self.function(self.layer, x)


@pytest.fixture
def small_images():
    return torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _train(data, generator, discriminator, **settings):
    config = TrainConfig(batch_size=16, latent_dim=8, **settings)
    trainer = GANTrainer(config, generator=generator, discriminator=discriminator, data=data)
    trainer.step()
    return trainer


@pytest.mark.parametrize("loss", ["bce", "relativistic", "hinge", "wasserstein"])
@pytest.mark.parametrize(
    ("last", "words"),
    [
        ([nn.Sigmoid()], "a sigmoid"),
        ([nn.Sigmoid(), nn.Flatten(0), nn.Unflatten(0, (-1, 1))], "a sigmoid"),
        ([nn.Softmax(1)], "a softmax"),
        ([nn.Tanh()], "a tanh"),
    ],
)
def test_a_discriminator_that_ends_in_a_squashing_function_is_refused(small_images, loss, last, words):
    with pytest.raises(ValueError, match=f"to be logits for the loss '{loss}', got values behind {words}; leave that"):
        _train(small_images, _generator(), _discriminator(*last), loss=loss)


def test_a_sigmoid_inside_a_forward_is_found(small_images):
    with pytest.raises(ValueError, match="a sigmoid"):
        _train(small_images, _generator(), Lambda(lambda layer, x: torch.sigmoid(layer(x.flatten(1))).squeeze(1)))


def test_a_sigmoid_inside_or_rescaled_or_for_least_squares_trains(small_images):
    inside = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Sigmoid(), nn.Linear(8, 1))
    rescaled = Lambda(lambda layer, x: torch.sigmoid(layer(x.flatten(1))) * 20 - 10)
    for discriminator, loss in ((inside, "bce"), (rescaled, "bce"), (_discriminator(nn.Sigmoid()), "lsgan")):
        assert _train(small_images, _generator(), discriminator, loss=loss).global_step == 1


def test_outputs_that_are_no_tensor_are_named(small_images):
    both = Lambda(lambda layer, x: (layer(x.flatten(1)), x))
    with pytest.raises(ValueError, match=r"discriminator\(samples\) to be a tensor of logits, got a tuple of 2; ret"):
        _train(small_images, _generator(), both)
    named = Lambda(lambda layer, z: {"image": layer(z)}, inputs=8)
    with pytest.raises(ValueError, match=r"generator\(latents\) to be a tensor of samples, got a dict; return the sam"):
        _train(small_images, named, _discriminator())


def test_a_generator_of_latents_with_four_dimensions_is_told_what_to_do(small_images):
    generator = nn.Sequential(nn.ConvTranspose2d(8, 4, 4), nn.ReLU(), nn.ConvTranspose2d(4, 1, 2, 2), nn.Tanh())
    words = r"got one that takes \(N, 8, 1, 1\); put nn\.Unflatten\(1, \(8, 1, 1\)\) before it"
    with pytest.raises(ValueError, match=words):
        _train(small_images, generator, _discriminator())
    assert _train(small_images, nn.Sequential(nn.Unflatten(1, (8, 1, 1)), generator), _discriminator())


def test_an_error_of_a_networks_own_says_what_it_was_given(small_images):
    with pytest.raises(ValueError, match=r"the generator to take latents \[2, 8\] got RuntimeError from it: mat1"):
        _train(small_images, nn.Linear(9, 64), _discriminator())
    with pytest.raises(ValueError, match=r"the discriminator to take samples \[2, 1, 8, 8\] got RuntimeError"):
        _train(small_images, _generator(), nn.Linear(9, 1))


def test_a_network_that_takes_no_labels_is_named_in_a_conditional_run(small_images):
    from fastgan.data import Data

    data = Data(small_images, torch.arange(64) % 4)
    with pytest.raises(ValueError, match=r"the generator to take .* and labels \[2\], as the run is conditional, got"):
        _train(data, _generator(), _discriminator(), conditional=True)


def test_a_range_that_a_generator_cannot_reach_is_noted(small_images):
    config, real = TrainConfig(latent_dim=8), small_images[:2]
    (note,) = check_networks(_generator(nn.Sigmoid()), _discriminator(), real, None, config)
    assert "ends in a sigmoid, so that its samples lie in [0, 1], but the data reach from -0.9" in note
    assert check_networks(_generator(nn.Sigmoid()), _discriminator(), real.abs(), None, config) == []
    assert check_networks(_generator(nn.Tanh()), _discriminator(), real, None, config) == []
    (note,) = check_networks(_generator(nn.Tanh()), _discriminator(), real * 3, None, config)
    assert "ends in a tanh" in note


def test_modes_and_random_state_are_kept(small_images):
    generator, discriminator = _generator(nn.Dropout()), _discriminator()
    generator[0].eval()
    state = torch.get_rng_state()
    check_networks(generator, discriminator, small_images[:2], None, TrainConfig(latent_dim=8))
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in generator] == [False, True, True]
    assert all(p.grad is None for p in generator.parameters())


@pytest.mark.parametrize("network", [name for name in NETWORKS if name != TABULAR])
def test_the_networks_of_the_settings_pass_without_a_note(network):
    data = torch.rand(32, 2) * 2 - 1 if network == "points" else torch.rand(32, 1, 32, 32) * 2 - 1
    settings = {"from_": "edges"} if network == "pix2pix" else {}
    trainer = GANTrainer(TrainConfig(network=network, batch_size=8, precision="fp32", **settings), data=data)
    assert trainer._notes == []
