"""`GANTrainer` as a library: a user's data sets, networks and callbacks."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from fastgan import nn as fnn
from fastgan.train import Callback, GANTrainer, TrainConfig


class Images(Dataset):
    """The images one by one, if `labelled` with their index modulo 3 as label."""

    def __init__(self, images, labelled):
        self.images, self.labelled = images, labelled

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return (self.images[i], i % 3) if self.labelled else self.images[i]


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_trains_as_its_tensor_does(images, labelled, workers):
    config = TrainConfig(batch_size=8, workers=workers, dropout=0.0)
    trainers = [GANTrainer(config, data=images), GANTrainer(config, data=Images(images, labelled))]
    for trainer in trainers:
        for _ in range(6):  # past the first epoch
            trainer.step()
    a, b = (trainer.statistics() for trainer in trainers)
    assert a == b


def test_a_labelled_dataset_trains_conditionally(images):
    trainer = GANTrainer(TrainConfig(batch_size=8, conditional=True), data=Images(images, True))
    trainer.step()
    assert trainer.size.classes == 3


def test_a_dataset_resumes_at_the_same_batch(images):
    config = TrainConfig(batch_size=8, dropout=0.0)
    whole = GANTrainer(config, data=Images(images, False))
    for _ in range(3):
        whole.step()
    state = copy.deepcopy(whole.state_dict())
    whole.step()
    again = GANTrainer(config, data=Images(images, False))
    again.load_state_dict(state)
    again.step()
    for p, q in zip(whole.generator.parameters(), again.generator.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_dataset_that_is_empty_or_has_no_tensors_is_refused(images):
    with pytest.raises(ValueError, match="expected a Dataset with samples, got an empty one"):
        GANTrainer(TrainConfig(batch_size=8), data=Images(images[:0], False))
    with pytest.raises(TypeError, match=r"expected a Dataset of tensors, .* got <class 'str'>"):
        GANTrainer(TrainConfig(batch_size=8), data=_Words())


class _Words(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return "word"


def test_a_tensor_dataset_of_pairs_can_be_trained_on(images):
    data = TensorDataset(images, torch.arange(len(images)) % 2)
    GANTrainer(TrainConfig(batch_size=8, conditional=True), data=data).step()


def _discriminator():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(8, 1))


def test_given_networks_get_fused_layers_unless_convert_is_off(images):
    converted = GANTrainer(TrainConfig(batch_size=8), None, _discriminator(), images).discriminator
    kept = GANTrainer(TrainConfig(batch_size=8, convert=False), None, _discriminator(), images).discriminator
    assert isinstance(converted[2], fnn.LeakyReLUDropout)
    assert type(kept[2]) is nn.LeakyReLU
    assert converted.state_dict().keys() == kept.state_dict().keys()


class _Log(Callback):
    def __init__(self):
        self.events = []

    def on_start(self, trainer, out):
        self.events.append(("start", out.is_dir()))

    def on_step(self, trainer):
        self.events.append(("step", trainer.global_step))

    def on_log(self, trainer, statistics):
        statistics["mine"] = 7.0
        self.events.append(("log", trainer.global_step))

    def on_checkpoint(self, trainer, path):
        self.events.append(("checkpoint", path.exists()))

    def on_end(self, trainer, out):
        self.events.append(("end", (out / "weights.safetensors").exists()))


def test_callbacks_are_called_in_order_and_can_add_statistics(images, tmp_path):
    log = _Log()
    config = TrainConfig(
        batch_size=8, steps=4, log_every=2, checkpoint_every=4, sample_every=4, out=str(tmp_path / "r")
    )
    GANTrainer(config, data=images, callbacks=[log]).fit()
    steps = [("step", 1), ("step", 2), ("log", 2), ("step", 3), ("step", 4), ("log", 4)]
    assert log.events == [("start", True), *steps, ("checkpoint", True), ("end", True)]
    assert '"mine": 7.0' in (tmp_path / "r" / "metrics.jsonl").read_text()


def test_step_works_in_a_users_own_loop(images):
    trainer = GANTrainer(TrainConfig(batch_size=8), data=images)
    seen = []
    for _ in range(3):
        trainer.step()
        seen.append(trainer.statistics()["loss_d"])
    assert trainer.global_step == 3
    assert len(set(seen)) == 3


def test_channels_last_sets_the_memory_format_of_images_and_convolutions():
    images = torch.rand(16, 3, 8, 8) * 2 - 1
    for wanted in (True, False):
        trainer = GANTrainer(TrainConfig(recipe="dcgan", batch_size=8, channels_last=wanted), data=images)
        weight = trainer.discriminator[0].weight
        assert weight.is_contiguous(memory_format=torch.channels_last) is wanted
        batch = trainer._batches[0][0]
        assert batch.is_contiguous(memory_format=torch.channels_last) is wanted
        assert torch.equal(batch, images[trainer._batches.order[0]])
        trainer.step()
