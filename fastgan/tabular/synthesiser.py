"""`TabularGAN`: learns the rows of a data frame and makes new ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._support.errors import TrainingDivergedError
from fastgan._support.extras import require
from fastgan._support.process import pick_device, threads
from fastgan._support.random import derive
from fastgan.data.table.encoding import TableEncoding
from fastgan.data.table.schema import TableSchema
from fastgan.data.table.units import EncodedUnits
from fastgan.data.table_files import encoded_data
from fastgan.models import NetworkSize, table_generator
from fastgan.tabular.saved import read_model, write_model
from fastgan.tabular.settings import fitted
from fastgan.train.config import TrainConfig
from fastgan.train.loop import GANTrainer
from fastgan.train.randomness import Purpose, preserved_random_state
from fastgan.train.table_rows import new_rows

_pandas = require("pandas")

__all__ = ["TabularGAN"]

Progress = Callable[[int, int, dict[str, float]], None]


class TabularGAN:
    """A conditional GAN for tables, Xu et al. (2019): numbers, categories, booleans, dates and missing values.

    The result is the same, bit for bit, for the same table, settings and device, on any number of CPU threads: the
    networks' matrix products are divided between them in parts that do not depend on their number, and the rest has one
    thread. A processor that multiplies bfloat16 trains in it: `precision="fp32"` gives what others give.

    Args:
        epochs: passes over the table.
        hidden: the width of each layer of both networks.
        modes: the largest number of Gaussians of a column of numbers.
        most_categories: categories of a column with an entry of their own; the rarest beyond share one.
        seed: of every random choice of the training.
        device: cpu, cuda, cuda:N, or auto, which takes a GPU if there is one.
        cpu_threads: the threads that training and sampling use on a CPU at most; 0 takes torch's number.
        settings: fields of `TrainConfig` that replace those of the recipe `tabular`. The batch size
            must be a multiple of `pack`. A table of fewer than 10 batches is trained in batches of a tenth of its rows,
            but at least 50. Rows are drawn with replacement.

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
    generator: nn.Module

    def __init__(
        self,
        epochs: int = 300,
        *,
        hidden: Sequence[int] = (256, 256),
        modes: int = 10,
        most_categories: int = 256,
        seed: int = 0,
        device: str = "auto",
        cpu_threads: int = 0,
        **settings: Any,
    ) -> None:
        given = {"epochs": epochs, "modes": modes, "most_categories": most_categories, "cpu_threads": cpu_threads}
        for (name, value), low in zip(given.items(), (1, 1, 2, 0), strict=True):
            if not value >= low:
                raise ValueError(f"tabular: expected `{name}` to be at least {low}, got {value}")
        self.epochs, self.hidden, self.modes, self.most_categories = epochs, tuple(hidden), modes, most_categories
        self.device, self.cpu_threads = pick_device("tabular", device), cpu_threads
        self._settings = {**settings, "seed": seed}
        widths = ",".join(map(str, self.hidden))
        self.config = TrainConfig(recipe="tabular", hidden=widths, device=str(self.device), **self._settings)
        self.history: list[dict[str, float]] = []

    def fit(
        self,
        table: Any,
        discrete_columns: Sequence[Any] | None = None,
        epochs: int | None = None,
        progress: Progress | None = None,
        schema: TableSchema | None = None,
    ) -> TabularGAN:
        """Learn the rows of a table.

        Args:
            table: a pandas DataFrame of at least 2 rows.
            discrete_columns: names of columns that are categories in any case. Text, booleans and numbers of at most 20
                distinct values are so by themselves.
            epochs: passes over the table; None takes those of the constructor.
            progress: called after each step with the number of steps done, that of all steps, and the last epoch's
                statistics.
            schema: what the columns hold, where that is known, as `fastgan.data.table.infer_schema` finds it for the
                cells of a file; other columns are left out.

        Raises:
            TypeError: for something that is not a DataFrame, or values that cannot be encoded.
            ValueError: for a table that cannot be learnt from; the message names the column.
            TrainingDivergedError: where a loss becomes NaN or infinite.
        """
        epochs = self.epochs if epochs is None else epochs
        if epochs < 1:
            raise ValueError(f"tabular: expected `epochs` to be at least 1, got {epochs}")
        self.prepare(table, discrete_columns, schema)
        data = encoded_data(table, EncodedUnits.of(self.encoding))
        config = fitted(self.config, len(data), epochs)
        per_epoch = config.steps // epochs
        self.history = []
        with self._threads(), preserved_random_state():
            trainer = GANTrainer(config, data=data)
            for step in range(1, config.steps + 1):
                trainer.step()
                if step % per_epoch == 0:
                    self.history.append(trainer.statistics())
                    if not all(map(math.isfinite, self.history[-1].values())):
                        raise TrainingDivergedError(
                            f"tabular: a loss is NaN or infinite by step {step}; a lower learning rate may help"
                        )
                if progress is not None:
                    progress(step, config.steps, self.history[-1] if self.history else {})
            self.generator = trainer.ema
        return self

    def prepare(
        self, table: Any, discrete_columns: Sequence[Any] | None = None, schema: TableSchema | None = None
    ) -> None:
        """Find the table's encoding and check the table, without training; `fit` does it by itself.

        Args:
            table: as for `fit`.
            discrete_columns: as for `fit`.
            schema: as for `fit`.

        Raises:
            TypeError: as `fit` does.
            ValueError: as `fit` does.
        """
        self.encoding = TableEncoding.fit(table, discrete_columns, self.modes, self.most_categories, schema)

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
        seed = int(torch.randint(2**62, ())) if seed is None else seed
        seed = derive(seed, Purpose.SAMPLING)
        rows = new_rows(self.generator, self.encoding, self.config.latent_dim, n, seed, conditions)
        return self._decoded(rows, seed)

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
    def load(cls, path: str | Path, device: str = "auto", cpu_threads: int = 0) -> TabularGAN:
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
        segments, widths = gan.encoding.segments, gan.hidden
        size = NetworkSize((segments.width,), gan.config.latent_dim, segments=segments, hidden=widths)
        gan.generator = table_generator(size)
        gan.generator.load_state_dict(weights)
        gan.generator.to(gan.device).eval().requires_grad_(False)
        return gan

    def _decoded(self, parts: Iterator[Tensor], seed: int) -> Iterator[Any]:
        """The DataFrame of each part; torch's threads are the caller's again while he has it."""
        done = 0
        while True:
            with self._threads():
                rows = next(parts, None)
                frame = None if rows is None else self.encoding.decode(rows, seed, done)
            if rows is None:
                return
            done += len(rows)
            yield frame

    def _threads(self) -> AbstractContextManager[None]:
        return threads(self.cpu_threads, products_only=True) if self.device.type == "cpu" else nullcontext()
