"""`TabularGAN`: learns the rows of a data frame and makes new ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from fastgan._support.errors import TrainingDivergedError
from fastgan._support.extras import require
from fastgan._support.process import pick_device, threads
from fastgan._support.random import derive
from fastgan.tabular.conditions import ConditionSampler
from fastgan.tabular.encoding import TableEncoding
from fastgan.tabular.networks import TableDiscriminator, TableGenerator, calibrate
from fastgan.tabular.sampling import new_rows
from fastgan.tabular.saved import read_model, write_model
from fastgan.tabular.settings import DEFAULTS, fitted
from fastgan.train.config import TrainConfig
from fastgan.train.precision import pick_precision
from fastgan.train.step import GANStep

_pandas = require("pandas")

__all__ = ["TabularGAN"]

# What seeds are derived for.
_WEIGHTS, _STEP, _CALIBRATION, _SAMPLE = range(4)

Progress = Callable[[int, int, dict[str, float]], None]


class TabularGAN:
    """A conditional GAN for tables, Xu et al. (2019): numbers, categories, booleans, dates and missing values.

    The result is the same, bit for bit, for the same table, settings and device, on any number of threads of torch.
    Training and sampling use `cpu_threads` threads, as the matrices are too small for many.

    Args:
        epochs: passes over the table.
        hidden: the width of each layer of both networks.
        modes: the largest number of Gaussians of a column of numbers.
        most_categories: categories of a column with an entry of their own; the rarest beyond share one.
        seed: of every random choice of the training.
        device: cpu, cuda, cuda:N, or auto, which takes a GPU if there is one.
        cpu_threads: the threads that training and sampling use on a CPU.
        settings: fields of `TrainConfig` that replace those of `DEFAULTS`. The batch size must be a multiple of `pack`.
            A table of fewer than 10 batches is trained in batches of a tenth of its rows, but at least 50. Rows are
            drawn with replacement.

    Attributes:
        encoding: the table's encoding, once fitted.
        generator: the moving average of the generator in eval mode, once fitted.
        history: for each epoch the means of the step's statistics.

    Raises:
        ValueError: for settings out of their range.
        TypeError: for settings that do not exist.

    Example:
        >>> import pandas
        >>> table = pandas.DataFrame({"a": range(0, 300, 3), "b": ["x", "y"] * 50, "c": [0.5] * 100})
        >>> gan = TabularGAN(epochs=2, batch_size=20, device="cpu").fit(table)
        >>> rows = gan.sample(3, conditions={"b": "x"}, seed=1)
        >>> list(rows.columns), list(rows["b"]), list(rows["c"])
        (['a', 'b', 'c'], ['x', 'x', 'x'], [0.5, 0.5, 0.5])
    """

    encoding: TableEncoding
    generator: TableGenerator

    def __init__(
        self,
        epochs: int = 300,
        *,
        hidden: Sequence[int] = (256, 256),
        modes: int = 10,
        most_categories: int = 256,
        seed: int = 0,
        device: str = "auto",
        cpu_threads: int = 1,
        **settings: Any,
    ) -> None:
        for name, value, low in (("epochs", epochs, 1), ("modes", modes, 1), ("most_categories", most_categories, 2)):
            if not value >= low:
                raise ValueError(f"tabular: expected `{name}` to be at least {low}, got {value}")
        self.epochs, self.hidden, self.modes, self.most_categories = epochs, tuple(hidden), modes, most_categories
        self.device, self.cpu_threads = pick_device("tabular", device), cpu_threads
        self._settings = {**DEFAULTS, **settings, "seed": seed}
        self.config = TrainConfig(**self._settings)
        self.history: list[dict[str, float]] = []

    def fit(
        self,
        table: Any,
        discrete_columns: Sequence[Any] | None = None,
        epochs: int | None = None,
        progress: Progress | None = None,
    ) -> TabularGAN:
        """Learn the rows of a table.

        Args:
            table: a pandas DataFrame of at least 2 rows.
            discrete_columns: names of columns that are categories in any case. Text, booleans and numbers of at most 20
                distinct values are so by themselves.
            epochs: passes over the table; None takes those of the constructor.
            progress: called after each step with the number of steps done, that of all steps, and the last epoch's
                statistics.

        Raises:
            TypeError: for something that is not a DataFrame, or values that cannot be encoded.
            ValueError: for a table that cannot be learnt from; the message names the column.
            TrainingDivergedError: where a loss becomes NaN or infinite.
        """
        epochs = self.epochs if epochs is None else epochs
        if epochs < 1:
            raise ValueError(f"tabular: expected `epochs` to be at least 1, got {epochs}")
        self.prepare(table, discrete_columns)
        scalars, codes = (t.to(self.device) for t in self.encoding.codes(table))
        config = fitted(self.config, len(codes), epochs)
        per_epoch = config.steps // epochs
        self.history = []
        with threads(self.cpu_threads if self.device.type == "cpu" else 0), self._random():
            sampler = ConditionSampler(codes, self.encoding.segments)
            update = self._new_step(config)
            for step in range(config.steps):
                self._seed(_STEP, step)
                update(*self._batches(config, sampler, scalars, codes))
                if (step + 1) % per_epoch == 0:
                    self.history.append(update.read_statistics())
                    if not all(map(math.isfinite, self.history[-1].values())):
                        raise TrainingDivergedError(
                            f"tabular: a loss is NaN or infinite by step {step + 1}; a lower learning rate may help"
                        )
                if progress is not None:
                    progress(step + 1, config.steps, self.history[-1] if self.history else {})
            self._seed(_CALIBRATION)
            self.generator = cast(TableGenerator, update.ema)
            calibrate(self.generator, sampler, config.batch_size)
        return self

    def prepare(self, table: Any, discrete_columns: Sequence[Any] | None = None) -> None:
        """Find the table's encoding and check the table, without training; `fit` does it by itself.

        Args:
            table: as for `fit`.
            discrete_columns: as for `fit`.

        Raises:
            TypeError: as `fit` does.
            ValueError: as `fit` does.
        """
        self.encoding = TableEncoding.fit(table, discrete_columns, self.modes, self.most_categories)

    def sample(self, n: int, conditions: Mapping[Any, Any] | None = None, seed: int | None = None) -> Any:
        """Make rows.

        Args:
            n: how many.
            conditions: for columns of categories the value that all rows must have.
            seed: of every random choice; None draws one from torch's default generator.

        Returns:
            A DataFrame with the columns, order and dtypes of the one that was fitted.

        Raises:
            RuntimeError: before `fit`.
            ValueError: for a negative `n`, a column that is no category, a value that never occurs, or conditions that
                hardly any row fulfils.
        """
        parts = list(self.chunks(n, conditions, seed))
        return _pandas.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]

    def chunks(self, n: int, conditions: Mapping[Any, Any] | None = None, seed: int | None = None) -> Iterator[Any]:
        """The rows of `sample` as DataFrames of at most 16,384 rows, at least one, so that memory stays constant.

        Args:
            n: how many rows.
            conditions: as for `sample`.
            seed: as for `sample`.

        Raises:
            RuntimeError: before `fit`.
            ValueError: as `sample` does.
        """
        if not hasattr(self, "generator"):
            raise RuntimeError("tabular: expected `fit` to be called before `sample`")
        if n < 0:
            raise ValueError(f"tabular: expected `n` to be at least 0, got {n}")
        seed = int(torch.randint(2**62, ())) if seed is None else derive(seed, _SAMPLE)
        return self._isolated(new_rows(self.generator, self.encoding, n, dict(conditions or {}), seed))

    def save(self, path: str | Path) -> None:
        """Write the encoding and the generator to a file: safetensors, with the encoding as JSON in its metadata.

        Args:
            path: the file, as table.safetensors.

        Raises:
            RuntimeError: before `fit`.
            OSError: naming the file, if it cannot be written; an earlier one is untouched.
        """
        if not hasattr(self, "generator"):
            raise RuntimeError("tabular: expected `fit` to be called before `save`")
        described = {
            "epochs": self.epochs,
            "hidden": list(self.hidden),
            "modes": self.modes,
            "most_categories": self.most_categories,
            "settings": self._settings,
            "encoding": self.encoding.to_json(),
            "history": self.history,
        }
        write_model(Path(path), described, self.generator.state_dict())

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", cpu_threads: int = 1) -> TabularGAN:
        """Read what `save` wrote, as `fastgan.tabular.saved.read_model` does; no code from the file runs.

        Args:
            path: the file.
            device: as for the constructor.
            cpu_threads: as for the constructor.

        Raises:
            FileNotFoundError: if it does not exist.
            ValueError: for another file.
        """
        described, weights = read_model(Path(path))
        names = ("epochs", "hidden", "modes", "most_categories")
        given = {**{name: described[name] for name in names}, **described["settings"]}
        gan = cls(**given, device=device, cpu_threads=cpu_threads)
        gan.encoding, gan.history = TableEncoding.from_json(described["encoding"]), described["history"]
        gan.generator = TableGenerator(gan.encoding.segments, gan.config.latent_dim, gan.hidden)
        gan.generator.load_state_dict(weights)
        gan.generator.to(gan.device).eval().requires_grad_(False)
        return gan

    def _new_step(self, config: TrainConfig) -> GANStep:
        """New networks, in a step that trains them."""
        self._seed(_WEIGHTS)
        segments = self.encoding.segments
        generator = TableGenerator(segments, config.latent_dim, self.hidden).to(self.device)
        discriminator = TableDiscriminator(segments, config.pack, self.hidden, config.dropout).to(self.device)
        precision = pick_precision(config.precision, self.device, images=False, convolutional=False)
        update = GANStep(config, generator, discriminator, precision)
        if segments.conditions:
            update.extra_loss_g = lambda: generator.condition_loss
        return update

    def _batches(
        self, config: TrainConfig, sampler: ConditionSampler, scalars: Tensor, codes: Tensor
    ) -> tuple[list[Any], list[Tensor]]:
        """What a step trains on: real rows with their conditions, and latents."""
        reals = []
        for _ in range(config.n_critic):
            conditions, rows = sampler.draw(config.batch_size)
            reals.append((self.encoding.expand(scalars[rows], codes[rows]), conditions))
        count = config.n_critic + config.g_steps - 1
        return reals, list(torch.randn(count, config.batch_size, config.latent_dim, device=self.device))

    def _seed(self, *purpose: int) -> None:
        """Seed torch's default generators: all that a step draws is a function of the seed and the step."""
        torch.manual_seed(derive(self.config.seed, *purpose))

    def _isolated(self, parts: Iterator[Any]) -> Iterator[Any]:
        """What an iterator makes with threads and random numbers of its own."""
        while True:
            with threads(self.cpu_threads if self.device.type == "cpu" else 0), self._random():
                part = next(parts, None)
            if part is None:
                return
            yield part

    @contextmanager
    def _random(self) -> Iterator[None]:
        """A block after which torch's default generators are what they were before."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            yield
