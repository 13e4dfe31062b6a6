"""The fields of `TrainConfig`: their help texts and ranges, and the checks of their values, each and together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, get_args, get_origin

from fastgan.losses import LOSSES
from fastgan.models import TABULAR


def option(
    help: str,
    default: Any = None,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
    choices: Iterable[str] = (),
) -> Any:
    """A field with a help text and a range of values; if there is no default, the recipe supplies it."""
    limits = {"low": low, "above": above, "high": high, "below": below, "choices": tuple(choices)}
    return field(default=default, metadata={"help": help, **limits})


def check_value(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    """The value, converted to its field's type; raises a ValueError if it is of another type or out of its limits."""
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, list | tuple) or len(value) != len(kinds):
            raise refusal(name, f"{len(kinds)} numbers", value)
        return tuple(check_value(name, v, k, limits) for v, k in zip(value, kinds, strict=True))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = {int: "a whole number", float: "a number", bool: "true or false"}
        raise refusal(name, words.get(kind, "a string"), value)
    choices = limits["choices"]
    if choices and value not in choices:
        raise ValueError(f"TrainConfig: expected `{name}` to be one of {', '.join(choices)}; got '{value}'")
    if kind in (int, float):
        _check_range(name, value, limits)
    return value


def _check_range(name: str, value: float, limits: Mapping[str, Any]) -> None:
    low, above, high, below = (limits[limit] for limit in ("low", "above", "high", "below"))
    if not float("-inf") < value < float("inf"):
        raise refusal(name, "a finite number", value)
    if low is not None and not value >= low:
        raise refusal(name, f"at least {low}", value)
    if above is not None and not value > above:
        raise refusal(name, f"more than {above}", value)
    if high is not None and not value <= high:
        raise refusal(name, f"at most {high}", value)
    if below is not None and not value < below:
        raise refusal(name, f"less than {below}", value)


def refusal(name: str, expected: str, got: Any) -> ValueError:
    """The error for a value that a field does not take."""
    return ValueError(f"TrainConfig: expected `{name}` to be {expected}, got {got!r}")


def parse_hidden(hidden: str) -> tuple[int, ...]:
    """The widths that the setting `hidden` names; raises a ValueError for others than whole numbers from 1 on."""
    widths = tuple(int(part) if part.strip().isdecimal() else 0 for part in hidden.split(","))
    if min(widths) < 1:
        raise refusal("hidden", "whole numbers from 1 on with commas between", hidden)
    return widths


def check_together(config: Any) -> None:
    """Refuse settings of a `TrainConfig` that do not go together."""
    for name, plain in (("real_target", 1), ("fake_target", 0)):
        if getattr(config, name) != plain and not LOSSES[config.loss].smooths:
            raise refusal(name, f"{plain}, as the loss '{config.loss}' has no target", getattr(config, name))
    if config.balance == "weights" and LOSSES[config.loss].weighted is None:
        raise refusal("balance", f"none or sampler with the loss '{config.loss}', which takes no weights", "weights")
    if config.balance == "weights" and config.pack > 1:
        raise refusal("balance", "none or sampler with `pack`, as a pack has no class", "weights")
    if config.network == TABULAR and (config.conditional or config.balance != "none"):
        name = "conditional" if config.conditional else "balance"
        raise refusal(
            name, "off with the network tabular, for which all categories are conditions", getattr(config, name)
        )
    if config.network == TABULAR and config.spread:
        raise refusal("spread", "off with the network tabular, whose encoding is that of the whole table", True)
    if config.hidden and config.network != TABULAR:
        raise refusal("hidden", f"empty with the network {config.network}", config.hidden)
    if config.hidden:
        parse_hidden(config.hidden)
    if config.batch_size % config.pack:
        raise refusal("pack", f"a divisor of the batch size {config.batch_size}", config.pack)
    if config.pack > 1 and config.conditional:
        raise refusal("pack", "1 in a conditional run, where each sample has a label", config.pack)
    if config.beta2_start > 0 and not config.optimizer.startswith("adam"):
        raise refusal(
            "beta2_start", f"0 with the optimizer '{config.optimizer}', which has no betas", config.beta2_start
        )
