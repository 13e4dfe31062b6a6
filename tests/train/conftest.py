"""One real training run that several tests look at."""

from pathlib import Path

import pytest
import torch

from fastgan.train import GANTrainer, TrainConfig


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the default recipe's run on digits, cut short at 5,000 of its steps."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    return GANTrainer(TrainConfig(out=str(out), steps=5000, checkpoint_every=1000)).fit()


@pytest.fixture
def images() -> torch.Tensor:
    """Forty random 4x4 images in [-1, 1]."""
    return torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(5)) * 2 - 1
