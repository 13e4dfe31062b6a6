"""Whether a settings file describes the whole of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["check_describes"]


def check_describes(settings: Path, given: dict[str, Any], resume: bool) -> None:
    """Refuse to train by a settings file whose run was made in Python with data or networks of its own.

    Args:
        settings: the file.
        given: the settings of the command line, which may name others.
        resume: whether the run itself is to be continued, with its networks.

    Raises:
        ValueError: naming what was passed to `GANTrainer`, and what to do.
    """
    from fastgan.train.settings_file import read_settings

    passed = read_settings(settings).passed
    networks = [name for name in ("generator", "discriminator") if name in passed]
    lacking = ["data"] if "data" in passed and "data" not in given else []
    lacking += networks if resume or "network" not in given else []
    if not lacking:
        return
    what = " and ".join(f"{name} ({passed[name]})" for name in lacking)
    advice = "GANTrainer with the same arguments and resume=True goes on"
    if not resume:
        flags = [*(["--data"] if "data" in lacking else []), *(["--network"] if networks else [])]
        advice = f"{' and '.join(flags)} {'names' if len(flags) == 1 else 'name'} others for a new run"
    raise ValueError(
        f"train: expected settings that describe the whole run, got {settings}, whose {what} came from Python: {advice}"
    )
