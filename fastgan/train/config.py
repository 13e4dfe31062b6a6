"""`TrainConfig`: every setting of a training run, checked once, kept as TOML."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from fastgan._support.messages import unknown_name
from fastgan.data import check_spec
from fastgan.losses import LOSSES
from fastgan.models import NETWORKS
from fastgan.train.augment import check_augment
from fastgan.train.precision import PRECISIONS
from fastgan.train.recipes import RECIPES
from fastgan.train.sampling import BALANCES

__all__ = ["OPTIMIZERS", "SCHEDULES", "TrainConfig", "help_of"]

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("constant", "linear", "cosine")


def _option(
    help: str,
    default: Any = None,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    choices: Iterable[str] = (),
) -> Any:
    """A field with its help text and its range; without a default, the recipe supplies one."""
    limits = {"low": low, "above": above, "high": high, "choices": tuple(choices)}
    return field(default=default, metadata={"help": help, **limits})


def help_of(setting: dataclasses.Field[Any]) -> str:
    """What a field of `TrainConfig` is for, and its choices if it has some."""
    text, choices = setting.metadata["help"], setting.metadata["choices"]
    return f"{text} One of {', '.join(choices)}." if choices else str(text)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The settings of one training run; each is also a flag of `fastgan train`.

    A field that is left out takes its recipe's value (`fastgan.train.recipes`), then the default.
    Values are checked, and whole numbers become floats where a float is meant.

    Raises:
        TypeError: for a field that does not exist; the nearest name is offered.
        ValueError: for a value of the wrong kind, out of its range, or an unknown recipe, data
            set, network, loss or optimizer.

    Example:
        >>> config = TrainConfig(recipe="dcgan", batch_size=64)
        >>> config.network, config.batch_size, config.lr_d
        ('dcgan', 64, 0.001)
        >>> TrainConfig(batch_sise=64)
        Traceback (most recent call last):
        TypeError: TrainConfig: unknown field 'batch_sise'; did you mean 'batch_size'?
    """

    recipe: str = _option("The named set of defaults to start from.", "mlp", choices=RECIPES)
    data: str = _option("What to train on: digits, ring, grid, or npz:, folder:, idx: or csv: and a path.", "digits")
    image_size: int = _option("Crop and resize a folder's images to this square; 0 does not.", 0, low=0)
    color: str = _option(
        "A folder's images as grey or rgb; auto: grey if all are.", "auto", choices=("auto", "grey", "rgb")
    )
    flip: bool = _option("Mirror each real image left to right by chance.", False)
    strict: bool = _option("Refuse a folder with a broken image, rather than skip that.", False)
    holdout: float = _option("Share of each class kept from training, for fastgan eval.", 0.0, low=0, high=0.9)
    out: str | None = _option("The run folder; by default a new one under runs/.")
    resume: bool = _option("Continue the run in --out from its newest whole checkpoint.", False)
    steps: int = _option("Updates in the whole run, earlier parts included.", low=0)
    batch_size: int = _option("Real samples in each of D's updates.", low=1)
    seed: int = _option("Seed of every random choice.", 0, low=0, high=2**63 - 1)
    device: str = _option("cpu, cuda, cuda:N, or auto: a GPU where there is one.", "auto")
    checkpoint_every: int = _option("Steps between checkpoints.", low=1)
    keep: int = _option("Checkpoints to keep: the newest ones.", 3, low=1)
    sample_every: int = _option("Steps between sample grids.", low=1)
    log_every: int = _option("Steps between lines in metrics.jsonl.", low=1)

    eval_every: int = _option("Steps between measures of FID, which choose checkpoints/best.pt; 0: never.", 0, low=0)
    workers: int = _option(
        "Processes that load a Dataset's samples, threads that read a folder's images; 0: neither.", 0, low=0
    )
    threads: int = _option("CPU threads while training; 0 leaves torch's number.", low=0)

    precision: str = _option(
        "Number format of the forward: fp32, bf16 or fp16, or auto: bf16 for images on a GPU, else fp32.",
        "auto",
        choices=PRECISIONS,
    )
    compile: bool = _option("Compile the networks with torch.compile; needs a C++ compiler.", False)
    cuda_graph: str = _option("Replay whole steps as CUDA graphs.", "auto", choices=("auto", "on", "off"))
    channels_last: bool = _option("Keep images and convolutions in channels_last.", True)
    convert: bool = _option("Put fused layers into networks that are given.", True)
    sync_batchnorm: bool = _option("Let batch normalisation see the samples of all processes.", False)
    on_alarm: str = _option(
        "At a dead loss, a saturated D, a mode collapse or memorisation: warn, stop, or off.",
        "warn",
        choices=("warn", "stop", "off"),
    )
    alarm_readings: int = _option(
        "Lines in metrics.jsonl that must agree before a loss is dead or D saturated.", 20, low=2
    )

    balance: str = _option(
        "For labelled data whose classes are uneven: sampler draws each as often, weights weighs D's loss (bce).",
        "none",
        choices=BALANCES,
    )
    conditional: bool = _option("Teach both networks the data's labels.")
    network: str = _option("The networks' architecture.", choices=NETWORKS)
    loss: str = _option("The adversarial loss.", choices=LOSSES)
    latent_dim: int = _option("Numbers in a latent vector.", low=1)
    negative_slope: float = _option("Slope of leaky ReLU below zero.")
    dropout: float = _option("Dropout probability in D.", low=0, high=1)
    optimizer: str = _option("Optimizer of both networks.", choices=OPTIMIZERS)
    lr_g: float = _option("Learning rate of G.", above=0)
    lr_d: float = _option("Learning rate of D.", above=0)
    betas: tuple[float, float] = _option("Adam's two betas.", low=0, high=1)
    n_critic: int = _option("Updates of D for each one of G.", low=1)
    g_steps: int = _option("Updates of G in each step, after D's.", low=1)
    ema_decay: float = _option("Decay of G's moving average, a step.", low=0, high=1)
    lr_schedule: str = _option("How learning rates fall over the run.", choices=SCHEDULES)
    warmup_steps: int = _option("Steps over which learning rates rise from 0.", low=0)
    grad_clip: float = _option("Largest norm of a network's gradient; 0 does not clip.", low=0)
    real_target: float = _option("D's target on real samples; 0.9 smooths.", low=0, high=1)
    fake_target: float = _option("D's target on generated samples.", low=0, high=1)
    instance_noise: float = _option("Noise on D's input, a standard deviation that falls to 0 over the run.", low=0)
    augment: str = _option("Augmentations of all that D sees: names among color, translation, cutout, with commas.")
    pack: int = _option("Samples that D judges together (PacGAN).", low=1)

    weight_clip: float = _option("Clip D's weights to [-c, c] after each update; 0 does not.", low=0)
    gp_weight: float = _option("Weight of WGAN-GP's gradient penalty.", low=0)
    r1_gamma: float = _option("Weight of the R1 penalty on D's gradient at real samples.", low=0)
    r2_gamma: float = _option("Weight of the R2 penalty on D's gradient at generated samples.", low=0)
    r1_interval: int = _option("D's updates from one R1 or R2 penalty to the next, which weighs as much more.", low=1)
    gamma_schedule: str = _option("How the weights of R1 and R2 fall over the run.", choices=SCHEDULES)
    l1: float = _option("Weight of the sum of both networks' absolute weights.", low=0)
    l2: float = _option("Weight of half the sum of both networks' squared weights.", low=0)

    def __new__(cls, **settings: Any) -> TrainConfig:
        """Refuse unknown names by the nearest one before the dataclass sees them."""
        for name in settings:
            if name not in cls.__dataclass_fields__:
                raise TypeError(unknown_name("TrainConfig: unknown field", name, cls.names()))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        recipe = dataclasses.fields(self)[0]
        _check("recipe", self.recipe, str, recipe.metadata)
        preset = RECIPES[self.recipe]
        hints = get_type_hints(type(self))
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if value is None:
                value = preset.get(f.name)
            object.__setattr__(self, f.name, _check(f.name, value, hints[f.name], f.metadata))
        check_spec(self.data)
        check_augment(self.augment)
        self._check_together()
        if self.resume and self.out is None:
            raise ValueError("TrainConfig: expected `out`, the run to continue, with resume=True")

    def _check_together(self) -> None:
        """Refuse settings that do not go together."""
        for name, plain in (("real_target", 1), ("fake_target", 0)):
            if getattr(self, name) != plain and not LOSSES[self.loss].smooths:
                raise _refusal(name, f"{plain}, as the loss '{self.loss}' has no target", getattr(self, name))
        if self.balance == "weights" and LOSSES[self.loss].weighted is None:
            raise _refusal("balance", f"none or sampler with the loss '{self.loss}', which takes no weights", "weights")
        if self.balance == "weights" and self.pack > 1:
            raise _refusal("balance", "none or sampler with `pack`, as a pack has no class", "weights")
        if self.batch_size % self.pack:
            raise _refusal("pack", f"a divisor of the batch size {self.batch_size}", self.pack)
        if self.pack > 1 and self.conditional:
            raise _refusal("pack", "1 in a conditional run, where each sample has a label", self.pack)

    @classmethod
    def names(cls) -> list[str]:
        """The fields' names, in order."""
        return [f.name for f in dataclasses.fields(cls)]

    @classmethod
    def load(cls, path: str | Path, **overrides: Any) -> TrainConfig:
        """Read a TOML file at `path`, as `save` writes it; `overrides` win over the file.

        Raises:
            FileNotFoundError: where there is no such file.
            ValueError: for a file that is not TOML, an unknown key or a bad value.
        """
        # tomllib came with Python 3.11; tomli is the same parser for 3.10.
        tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
        try:
            settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: expected a TOML file of settings: {error}") from error
        for name in settings:
            if name not in cls.__dataclass_fields__:
                raise ValueError(unknown_name(f"{path}: unknown key", name, cls.names()))
        return cls(**{**settings, **overrides})

    def save(self, path: str | Path) -> None:
        """Write every field to a TOML file at `path`, `out` and `resume` excepted: they say where, not what."""
        lines = [
            f"{name} = {_toml(value)}\n"
            for name, value in dataclasses.asdict(self).items()
            if name not in ("out", "resume")
        ]
        Path(path).write_text("".join(lines), encoding="utf-8")

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain numbers, strings and lists."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(self).items()
        }


# Each setting's help stands once, at its field.
TrainConfig.__doc__ = "\n".join(
    [inspect.cleandoc(TrainConfig.__doc__ or ""), "", "Attributes:"]
    + [f"    {f.name}: {help_of(f)}" for f in dataclasses.fields(TrainConfig)]
)


def _toml(value: Any) -> str:
    if isinstance(value, str):  # a TOML basic string is a JSON one, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def _check(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    """The value, of its field's type and within its limits, or a ValueError that names them."""
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, list | tuple) or len(value) != len(kinds):
            raise _refusal(name, f"{len(kinds)} numbers", value)
        return tuple(_check(name, v, k, limits) for v, k in zip(value, kinds, strict=True))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = {int: "a whole number", float: "a number", bool: "true or false"}
        raise _refusal(name, words.get(kind, "a string"), value)
    choices = limits["choices"]
    if choices and value not in choices:
        raise ValueError(f"TrainConfig: expected `{name}` to be one of {', '.join(choices)}; got '{value}'")
    if kind in (int, float):
        _check_range(name, value, limits)
    return value


def _check_range(name: str, value: float, limits: Mapping[str, Any]) -> None:
    low, above, high = limits["low"], limits["above"], limits["high"]
    if not float("-inf") < value < float("inf"):
        raise _refusal(name, "a finite number", value)
    if low is not None and not value >= low:
        raise _refusal(name, f"at least {low}", value)
    if above is not None and not value > above:
        raise _refusal(name, f"more than {above}", value)
    if high is not None and not value <= high:
        raise _refusal(name, f"at most {high}", value)


def _refusal(name: str, expected: str, got: Any) -> ValueError:
    return ValueError(f"TrainConfig: expected `{name}` to be {expected}, got {got!r}")
