"""`TrainConfig`: the settings of a training run, which are checked when it is made and can be saved as TOML."""

from __future__ import annotations

import dataclasses
import inspect
import os.path
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_origin, get_type_hints

from fastgan._support.files import write_atomic
from fastgan._support.messages import unknown_name
from fastgan.data import check_spec
from fastgan.data.fit import parse_background
from fastgan.data.table.options import TableOptions
from fastgan.train._fields import check_together, check_value
from fastgan.train._settings import OPTIMIZERS, SCHEDULES, MethodSettings
from fastgan.train.augment import parse_augment
from fastgan.train.recipes import DEFAULT_FITS, FITS, RECIPES
from fastgan.train.recipes.fitting import settings_for
from fastgan.train.settings_file import Settings, read_settings, settings_text

__all__ = ["OPTIMIZERS", "SCHEDULES", "TrainConfig", "help_of"]


def help_of(setting: dataclasses.Field[Any]) -> str:
    """The help text of a `setting`, a field of `TrainConfig`, with its choices if it has any."""
    text, choices = setting.metadata["help"], setting.metadata["choices"]
    return f"{text} One of {', '.join(choices)}." if choices else str(text)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(MethodSettings):
    """The settings of one training run; each is also a flag of `fastgan train`.

    A field that is not given takes the value of its recipe (`fastgan.train.recipes`), or else the default. `GANTrainer`
    fits the recipe's values to the samples' size and number by `fit_to`. Values are checked. Whole numbers are accepted
    for floats.

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

    def __new__(cls, **settings: Any) -> TrainConfig:
        """Note which fields are given, and refuse unknown ones with the nearest name, which a dataclass does not do."""
        for name in settings:
            if name not in cls.__dataclass_fields__:
                raise TypeError(unknown_name("TrainConfig: unknown field", name, cls.names()))
        config = super().__new__(cls)
        object.__setattr__(config, "_fitted", None)
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
        return self._resolved_to({**self.to_dict(), **changes}, {*self.chosen, *changes}, self.fitted)

    @property
    def fitted(self) -> dict[str, str] | None:
        """The settings that were fitted to the samples, each with the reason; None before `fit_to`."""
        return cast(dict[str, str] | None, self.__dict__["_fitted"])

    def fit_to(self, sample_shape: tuple[int, ...], count: int, own_networks: bool = False) -> TrainConfig:
        """The settings as the recipe has them for samples of this size and number (`fastgan.train.recipes.FITS`).

        Where neither the recipe nor the network is chosen, the recipe fits the samples, too (`DEFAULT_FITS`). Settings
        that were chosen stay, and so do those that were fitted before, as those of a resumed run.

        Args:
            sample_shape: the shape of one sample; (C, H, W) for images.
            count: the number of samples.
            own_networks: whether networks are trained that are not the recipe's; the recipe then stays.

        Example:
            >>> config = TrainConfig(recipe="dcgan", lr_d=1e-4).fit_to((3, 32, 32), 5000)
            >>> config.lr_g, config.lr_d, config.fitted
            (0.001, 0.0001, {'lr_g': 'images of 16 pixels and more'})
        """
        if self.fitted is not None:
            return self
        config, found = self, {}
        if not own_networks and not {"recipe", "network"} & set(self.chosen):
            found = settings_for(DEFAULT_FITS, sample_shape, count)
        if found:  # the defaults of another recipe
            config = TrainConfig(**{**self.chosen, **{name: value for name, (value, _) in found.items()}})
        found |= settings_for(FITS.get(config.recipe, ()), sample_shape, count)
        values = {name: value for name, (value, _) in found.items() if name not in self.chosen}
        reasons = {name: found[name][1] for name in values}
        return self._resolved_to({**config.to_dict(), **values}, self.chosen, reasons)

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
        fitted: dict[str, str] | None = {} if settings.resolved else None
        return cls._resolved_to({**settings.resolved, **settings.chosen}, settings.chosen, fitted)

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
    def _resolved_to(
        cls, settings: Mapping[str, Any], chosen: Iterable[str], fitted: Mapping[str, str] | None
    ) -> TrainConfig:
        """A configuration of these values, of which only some count as chosen."""
        config = cls(**settings)
        config._note_chosen(chosen)
        object.__setattr__(config, "_fitted", None if fitted is None else dict(fitted))
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
