"""Number formats of a training step: float32, or half the bytes through autocast."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

__all__ = ["PRECISIONS", "Scaler", "autocast", "pick_precision"]

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def pick_precision(name: str, device: torch.device, images: bool) -> str:
    """The precision that `name` means here.

    auto is bf16 for images on a GPU that has it, else fp32: points of a mixture or a table need more digits than a
    half has, and not every CPU is faster with halves.

    Raises:
        ValueError: for bf16 on a GPU without it.
    """
    bf16_gpu = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "auto":
        return "bf16" if bf16_gpu and images else "fp32"
    if name == "bf16" and device.type == "cuda" and not bf16_gpu:
        raise ValueError(
            f"train: expected `precision` to be fp32 or fp16 on {torch.cuda.get_device_name(device)}, got 'bf16'"
        )
    return name


def autocast(precision: str, device_type: str) -> AbstractContextManager[object]:
    """The context in which both networks run forward.

    Its cache of cast weights is off: weights change between one forward and the next, and a CUDA graph must not keep
    the copies of another.
    """
    return torch.autocast(device_type, _DTYPES.get(precision), enabled=precision in _DTYPES, cache_enabled=False)


class Scaler:
    """Loss scaling for fp16, one for each network; for the other precisions it does nothing.

    float16 gradients below 6e-8 are zero: the loss is scaled up, the gradients down again, and a step whose gradients
    are infinite is left out while the scale adapts (Micikevicius et al., 2018).
    """

    def __init__(self, precision: str, device_type: str) -> None:
        self._scaler = torch.amp.GradScaler(device_type, enabled=precision == "fp16")

    def backward(self, loss: torch.Tensor) -> None:
        """Accumulate the scaled loss's gradients."""
        torch.autograd.backward(self._scaler.scale(loss))

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the scale, for code that reads them before `step`."""
        if self._scaler.is_enabled():
            self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimizer step if all gradients are finite, and adapt the scale."""
        if self._scaler.is_enabled():
            self._scaler.step(optimizer)
            self._scaler.update()
        else:
            optimizer.step()

    def state_dict(self) -> dict[str, object]:
        """Scale and growth; empty where nothing is scaled."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take over what `state_dict` returned."""
        if self._scaler.is_enabled() and state:
            self._scaler.load_state_dict(state)
