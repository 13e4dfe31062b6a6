"""Training GANs: `TrainConfig` holds the settings, `GANTrainer` does the work."""

from fastgan.train.alarms import TrainingAlarmError
from fastgan.train.callbacks import Callback
from fastgan.train.checkpoint import CheckpointError
from fastgan.train.config import TrainConfig
from fastgan.train.errors import TrainingDivergedError, TrainingInterrupted
from fastgan.train.fit_config import FitConfig
from fastgan.train.loop import GANTrainer
from fastgan.train.run_folder import Run, RunFolderError, load_run
from fastgan.train.supervised import Fit, fit_supervised

__all__ = [
    "Callback",
    "CheckpointError",
    "Fit",
    "FitConfig",
    "GANTrainer",
    "Run",
    "RunFolderError",
    "TrainConfig",
    "TrainingAlarmError",
    "TrainingDivergedError",
    "TrainingInterrupted",
    "fit_supervised",
    "load_run",
]
