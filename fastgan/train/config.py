"""`TrainConfig`: the settings of a training run, which are checked when it is made and can be saved as TOML."""

from __future__ import annotations

import dataclasses
import inspect
import os.path
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from fastgan._support.files import write_atomic
from fastgan._support.messages import unknown_name
from fastgan.data import FROM_PATH, check_spec
from fastgan.data.fit import parse_background
from fastgan.data.table.options import HEADERS, TableOptions
from fastgan.losses import LOSSES
from fastgan.models import NETWORKS
from fastgan.train._fields import check_together, check_value, option
from fastgan.train.augment import parse_augment
from fastgan.train.precision import PRECISIONS
from fastgan.train.recipes import RECIPES
from fastgan.train.sampling import BALANCES
from fastgan.train.settings_file import Settings, read_settings, settings_text

__all__ = ["OPTIMIZERS", "SCHEDULES", "TrainConfig", "help_of"]

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("constant", "linear", "cosine")


def help_of(setting: dataclasses.Field[Any]) -> str:
    """The help text of a `setting`, a field of `TrainConfig`, with its choices if it has any."""
    text, choices = setting.metadata["help"], setting.metadata["choices"]
    return f"{text} One of {', '.join(choices)}." if choices else str(text)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The settings of one training run; each is also a flag of `fastgan train`.

    A field that is not given takes the value of its recipe (`fastgan.train.recipes`), or else the default. Values are
    checked. Whole numbers are accepted for floats.

    Raises:
        TypeError: for a field that does not exist; the message suggests the nearest name.
        ValueError: for a value of another type or out of its range, an unknown choice, or settings that do not go
            together.

    Example:
        >>> config = TrainConfig(recipe="dcgan", batch_size=64)
        >>> config.network, config.batch_size, config.lr_d, config.chosen
        ('dcgan', 64, 0.001, {'recipe': 'dcgan', 'batch_size': 64})
        >>> config.replace(recipe="resnet").loss
        'hinge'
        >>> TrainConfig(batch_sise=64)
        Traceback (most recent call last):
        TypeError: TrainConfig: unknown field 'batch_sise'; did you mean 'batch_size'?
    """

    recipe: str = option("Set of defaults to start from.", "mlp", choices=RECIPES)
    data: str = option(
        f"Training data: digits, ring, grid, or {', '.join(f'{kind}:PATH' for kind in FROM_PATH)}.", "digits"
    )
    separator: str = option("What separates a table's cells: auto, a name such as semicolon, or a character.", "auto")
    decimal: str = option("A table's decimal mark: auto, . or a comma.", "auto", choices=("auto", ".", ","))
    header: str = option("Whether a table's first row holds names.", "auto", choices=HEADERS)
    encoding: str = option("Encoding of a table's text: auto, which is UTF-8, or a name such as latin-1.", "auto")
    drop: str = option("Columns of a table to leave out, with commas.", "")
    columns: str = option("The only columns of a table to take, with commas, also where they look like ids.", "")
    text: str = option("Columns of a table that are text although they look like numbers, with commas.", "")
    discrete: str = option("Columns of numbers that are categories for the network tabular, with commas.", "")
    image_size: int = option("Pixels a side of the squares to which images are cropped; 0 keeps their size.", 0, low=0)
    color: str = option("Colour of images; auto is grey if all are, else rgb.", "auto", choices=("auto", "grey", "rgb"))
    background: str = option("Colour under transparent images: white, black or #rrggbb.", "white")
    flip: bool = option("Mirror each real image left to right with probability 0.5.", False)
    strict: bool = option("Refuse data with a broken image, instead of skipping the image.", False)
    holdout: float = option("Share of each class kept from training, for fastgan eval.", 0.0, low=0, high=0.9)
    out: str | None = option("Run folder; if not given, a new folder under runs/.")
    resume: bool = option("Continue the run in --out from its newest undamaged checkpoint.", False)
    steps: int = option("Steps in the whole run, those before --resume included.", low=0)
    batch_size: int = option("Real samples in each update of the discriminator, over all processes.", low=1)
    seed: int = option("Seed of all random numbers.", 0, low=0, high=2**63 - 1)
    device: str = option("Training device: cpu, cuda, cuda:N, or auto, which takes a GPU if there is one.", "auto")
    checkpoint_every: int = option("Steps between checkpoints.", low=1)
    keep: int = option("Number of checkpoints to keep; older ones are deleted.", 3, low=1)
    sample_every: int = option("Steps between sample grids.", low=1)
    log_every: int = option("Steps between lines of metrics.jsonl, the statistics of the training.", low=1)

    eval_every: int = option("Steps between measurements of FID; the lowest keeps best.pt; 0 measures none.", 0, low=0)
    workers: int = option(
        "Processes that load the samples of a Dataset, and threads that decode images; 0 uses none.", 0, low=0
    )
    threads: int = option("CPU threads for training; 0 uses torch's own number.", low=0)

    precision: str = option(
        "Number format of the forward passes; auto is bf16 for images on a GPU that supports it, else fp32.",
        "auto",
        choices=PRECISIONS,
    )
    compile: bool = option("Compile both networks with torch.compile, which needs a C++ compiler.", False)
    cuda_graph: str = option(
        "Run steps as CUDA graphs; auto does so on a GPU, except with fp16 or several processes.",
        "auto",
        choices=("auto", "on", "off"),
    )
    channels_last: bool = option("Keep images and weights of convolutions in the channels_last memory format.", True)
    convert: bool = option("Put fused layers into networks that are passed to GANTrainer.", True)
    sync_batchnorm: bool = option("Batch normalisation with the statistics of the samples of all processes.", False)
    on_alarm: str = option(
        "What to do at a dead loss, a saturated discriminator, mode collapse or memorisation; off does not check.",
        "warn",
        choices=("warn", "stop", "off"),
    )
    alarm_readings: int = option(
        "Consecutive lines of metrics.jsonl that show a dead loss or a saturated discriminator before it is an alarm.",
        20,
        low=2,
    )

    balance: str = option(
        "For uneven classes: sampler draws all equally often; weights gives rare ones a larger weight in the bce loss.",
        "none",
        choices=BALANCES,
    )
    conditional: bool = option("Train a conditional GAN: both networks get the data's labels.")
    network: str = option("Architecture of both networks.", choices=NETWORKS)
    hidden: str = option("Widths of the layers of the network tabular, with commas, if not 256,256.", "")
    loss: str = option("Adversarial loss.", choices=LOSSES)
    latent_dim: int = option("Number of entries in a latent vector.", low=1)
    negative_slope: float = option("Slope of leaky ReLU for negative inputs.")
    dropout: float = option("Dropout probability in the discriminator.", low=0, high=1)
    optimizer: str = option("Optimizer of both networks.", choices=OPTIMIZERS)
    lr_g: float = option("Learning rate of the generator, before the schedule.", above=0)
    lr_d: float = option("Learning rate of the discriminator, before the schedule.", above=0)
    betas: tuple[float, float] = option("The two betas of Adam and AdamW.", low=0, below=1)
    n_critic: int = option("Updates of the discriminator in each step.", low=1)
    g_steps: int = option("Updates of the generator in each step, after those of the discriminator.", low=1)
    ema_decay: float = option("Decay per step of the moving average of the generator's weights.", low=0, below=1)
    lr_schedule: str = option("Schedule of both learning rates over the run.", choices=SCHEDULES)
    warmup_steps: int = option("Steps over which both learning rates rise linearly to their full values.", low=0)
    grad_clip: float = option("Largest norm of a network's gradient, to which it is clipped; 0 does not clip.", low=0)
    real_target: float = option(
        "The discriminator's target for real samples; 0.9 is one-sided label smoothing.", low=0, high=1
    )
    fake_target: float = option("The discriminator's target for generated samples.", low=0, high=1)
    instance_noise: float = option(
        "Standard deviation of noise on the discriminator's input; it falls linearly to 0 over the run.", low=0
    )
    augment: str = option(
        "Augmentations of real and generated images: color, translation, cutout, separated by commas."
    )
    pack: int = option("Samples that the discriminator gets together as one input (PacGAN).", low=1)

    weight_clip: float = option(
        "Bound c of the discriminator's weights, clipped to [-c, c] after each update; 0 does not clip.", low=0
    )
    gp_weight: float = option("Weight of the gradient penalty of WGAN-GP.", low=0)
    r1_gamma: float = option("Weight of the R1 penalty on the discriminator's gradient at real samples.", low=0)
    r2_gamma: float = option("Weight of the R2 penalty on the discriminator's gradient at generated samples.", low=0)
    r1_interval: int = option(
        "Discriminator updates from one R1 or R2 penalty to the next; their weights are multiplied by it.", low=1
    )
    gamma_schedule: str = option("Schedule of the weights of R1 and R2 over the run.", choices=SCHEDULES)
    l1: float = option(
        "Weight of the L1 penalty in each network's loss: the sum of the absolute values of its weights.", low=0
    )
    l2: float = option(
        "Weight of the L2 penalty in each network's loss: half the sum of the squares of its weights.", low=0
    )

    def __new__(cls, **settings: Any) -> TrainConfig:
        """Note which fields are given, and refuse unknown ones with the nearest name, which a dataclass does not do."""
        for name in settings:
            if name not in cls.__dataclass_fields__:
                raise TypeError(unknown_name("TrainConfig: unknown field", name, cls.names()))
        config = super().__new__(cls)
        config._note_chosen(name for name, value in settings.items() if value is not None)
        return config

    def __post_init__(self) -> None:
        recipe = dataclasses.fields(self)[0]
        check_value("recipe", self.recipe, str, recipe.metadata)
        preset = RECIPES[self.recipe]
        hints = get_type_hints(type(self))
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if value is None:
                value = preset.get(f.name)
            object.__setattr__(self, f.name, check_value(f.name, value, hints[f.name], f.metadata))
        check_spec(self.data)
        parse_background(self.background)
        _ = self.table  # refuses what is wrong
        parse_augment(self.augment)
        check_together(self)
        if self.out is not None:
            object.__setattr__(self, "out", os.path.expanduser(self.out))
        if self.resume and self.out is None:
            raise ValueError("TrainConfig: expected `out`, the run to continue, with resume=True")

    @property
    def table(self) -> TableOptions:
        """How to read a table."""
        return TableOptions(**{f.name: getattr(self, f.name) for f in dataclasses.fields(TableOptions)})

    @classmethod
    def names(cls) -> list[str]:
        """The fields' names, in order."""
        return [f.name for f in dataclasses.fields(cls)]

    @classmethod
    def tuples(cls) -> list[str]:
        """The names of the fields that are several numbers."""
        return [name for name, kind in get_type_hints(cls).items() if get_origin(kind) is tuple]

    @property
    def chosen(self) -> dict[str, Any]:
        """The settings that were given; all others are the recipe's or the default."""
        return {name: getattr(self, name) for name in self.names() if name in self.__dict__["_chosen"]}

    def replace(self, **changes: Any) -> TrainConfig:
        """A copy with other settings. Another recipe resolves anew all settings that were not chosen.

        `dataclasses.replace` would instead take all settings for chosen ones, and keep those of the old recipe.

        Args:
            changes: fields by name.

        Raises:
            TypeError: for a field that does not exist.
            ValueError: as the constructor does.
        """
        if changes.get("recipe", self.recipe) != self.recipe:
            return TrainConfig(**{**self.chosen, **changes})
        return self._resolved_to({**self.to_dict(), **changes}, {*self.chosen, *changes})

    @classmethod
    def load(cls, path: str | Path, **overrides: Any) -> TrainConfig:
        """Read the chosen settings of a TOML file at `path`, as `save` writes it; `overrides` replace some of them.

        Raises:
            FileNotFoundError: if the file does not exist.
            ValueError: for a folder, a file that is not TOML, an unknown key or a bad value.
        """
        settings = read_settings(Path(path), cls.names())
        return cls(**{**settings.chosen, **overrides})

    @classmethod
    def load_resolved(cls, path: str | Path) -> TrainConfig:
        """Read all settings of a run from a TOML file at `path` as they were, whatever recipes hold today.

        A chosen setting that was changed by hand counts.

        Raises:
            FileNotFoundError: if the file does not exist.
            ValueError: for a folder, a file that is not TOML, an unknown key or a bad value.
        """
        settings = read_settings(Path(path), cls.names())
        if settings.chosen.get("recipe", settings.resolved.get("recipe")) != settings.resolved.get("recipe"):
            return cls(**settings.chosen)  # the recipe was changed by hand
        return cls._resolved_to({**settings.resolved, **settings.chosen}, settings.chosen)

    def save(self, path: str | Path, passed: Mapping[str, str] | None = None) -> None:
        """Write the chosen settings to a TOML file at `path`, and what all settings resolved to as a table of it.

        Args:
            path: the file; `out` and `resume`, which do not describe the training, are not in it.
            passed: what was passed to `GANTrainer` in place of a setting, in words: data, generator, discriminator.

        Raises:
            OSError: naming the file, if it cannot be written; an earlier one is untouched.
        """
        left_out = {"out", "resume", *(["data"] if "data" in (passed or {}) else [])}
        resolved = {name: value for name, value in self.to_dict().items() if name not in left_out}
        chosen = {name: value for name, value in resolved.items() if name in self.chosen}
        write_atomic(Path(path), settings_text(Settings(chosen, resolved, dict(passed or {}))).encode())

    @classmethod
    def _resolved_to(cls, settings: Mapping[str, Any], chosen: Iterable[str]) -> TrainConfig:
        """A configuration of these values, of which only some count as chosen."""
        config = cls(**settings)
        config._note_chosen(chosen)
        return config

    def _note_chosen(self, names: Iterable[str]) -> None:
        object.__setattr__(self, "_chosen", frozenset(names))

    def to_dict(self) -> dict[str, Any]:
        """The fields as numbers, strings and lists."""
        fields = ((name, getattr(self, name)) for name in self.names())
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields}


# The documentation of the fields is generated from their help texts.
TrainConfig.__doc__ = "\n".join(
    [inspect.cleandoc(TrainConfig.__doc__ or ""), "", "Attributes:"]
    + [f"    {f.name}: {help_of(f)}" for f in dataclasses.fields(TrainConfig)]
)
