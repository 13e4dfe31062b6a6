"""Training GANs: `TrainConfig` holds the settings, `GANTrainer` does the work."""

from fastgan._support.errors import TrainingDivergedError, TrainingInterrupted
from fastgan.train.alarms import TrainingAlarmError
from fastgan.train.callbacks import Callback
from fastgan.train.checkpoint import CheckpointError
from fastgan.train.config import TrainConfig
from fastgan.train.loop import GANTrainer
from fastgan.train.run_folder import RunFolderError
from fastgan.train.saved_run import Run, load_run

__all__ = [
    "Callback",
    "CheckpointError",
    "GANTrainer",
    "Run",
    "RunFolderError",
    "TrainConfig",
    "TrainingAlarmError",
    "TrainingDivergedError",
    "TrainingInterrupted",
    "load_run",
]
