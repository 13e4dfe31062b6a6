"""Fixtures of the training tests; one is a training run that several of them examine."""

from pathlib import Path

import pytest
import torch

from fastgan.train import GANTrainer, TrainConfig


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the default recipe on the digits, with 5,000 of its 10,000 steps."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    return GANTrainer(TrainConfig(out=str(out), steps=5000, checkpoint_every=1000)).fit()


@pytest.fixture
def images() -> torch.Tensor:
    """Forty random 4x4 images in [-1, 1]."""
    return torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(5)) * 2 - 1
