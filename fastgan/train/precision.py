"""Number formats of a training step: float32, or bfloat16 or float16 through autocast."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch

__all__ = ["PRECISIONS", "Scaler", "autocast", "bf16_instructions", "notes_on_precision", "pick_precision"]

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_INSTRUCTIONS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"}
# Pixels of the longer side from which a CPU takes bfloat16 by itself. On the 8x8 digits a step of `dcgan` gains 1.2
# times only, and FID after the recipe's 3,000 steps was 1.44 and 1.23 (seeds 0 and 1) where float32 had 0.75 and 0.97;
# precision, recall and coverage were equal (AMD EPYC, one thread, torch 2.13.0, 2026-11-27).
_LEAST_SIDE = 16
# Features of each hidden layer from which a CPU takes bfloat16 for the network `tabular`. A step of 400 rows of
# diamonds takes 15.6 and not 23.5 ms of one core with layers of 256 (AMD EPYC, torch 2.13.0, 2026-11-27).
_LEAST_WIDTH = 128
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def pick_precision(
    name: str,
    device: torch.device,
    sample_shape: tuple[int, ...],
    convolutional: bool = False,
    table_widths: Sequence[int] = (),
) -> str:
    """Resolve "auto" to a precision for a device, a kind of data and the networks.

    auto is bf16 for images on a GPU that supports it. On a CPU that multiplies bfloat16 itself it is bf16 for
    convolutional networks of images of at least 16 pixels, and for the network `tabular` with layers of at least 128
    features, which makes the numbers of its rows in float32. Else it is fp32. Points of a mixture and the rows of other
    networks need more digits than 16 bits hold. Other CPUs, dense layers of few features and small images are hardly
    faster with them.

    Args:
        name: one of `PRECISIONS`.
        device: the one that trains.
        sample_shape: the shape of a sample, (C, H, W) for an image.
        convolutional: whether a network has convolutions.
        table_widths: the widths of the hidden layers of the network `tabular`; empty for other networks.

    Returns:
        fp32, bf16 or fp16.

    Raises:
        ValueError: for bf16 on a GPU that does not support it.
    """
    bf16_gpu = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "auto":
        images = len(sample_shape) == 3
        large = images and max(sample_shape[1:]) >= _LEAST_SIDE
        wide = len(table_widths) > 0 and min(table_widths) >= _LEAST_WIDTH
        gains = (convolutional and large) or wide
        bf16_cpu = device.type == "cpu" and gains and bool(bf16_instructions())
        return "bf16" if (images and bf16_gpu) or bf16_cpu else "fp32"
    if name == "bf16" and device.type == "cuda" and not bf16_gpu:
        raise ValueError(
            f"train: expected `precision` to be fp32 or fp16 on {torch.cuda.get_device_name(device)}, got 'bf16'"
        )
    return name


def bf16_instructions() -> str:
    """The instructions by which this processor multiplies matrices of bfloat16: AMX or AVX512-BF16; "" for none."""
    capabilities = torch.cpu.get_capabilities()
    if not torch.backends.mkldnn.is_available():  # without oneDNN torch does not use them
        return ""
    return next((name for key, name in _INSTRUCTIONS.items() if capabilities.get(key)), "")


def notes_on_precision(name: str, precision: str, device: torch.device) -> list[str]:
    """What to say where "auto" became bf16 on a CPU.

    Args:
        name: the setting.
        precision: what `pick_precision` made of it.
        device: the one that trains.
    """
    if name != "auto" or precision != "bf16" or device.type != "cpu":
        return []
    return [
        f"train: precision bf16, as this processor multiplies it in hardware ({bf16_instructions()}); "
        "--precision fp32 trains in float32"
    ]


def autocast(precision: str, device_type: str) -> AbstractContextManager[object]:
    """The autocast context for the forward passes of both networks.

    The cache of cast weights is off: weights change between forwards, and a CUDA graph must not use the copies of
    another graph.

    Args:
        precision: fp32, bf16 or fp16.
        device_type: cpu or cuda.
    """
    return torch.autocast(device_type, _DTYPES.get(precision), enabled=precision in _DTYPES, cache_enabled=False)


class Scaler:
    """Loss scaling for fp16 (Micikevicius et al., 2018), one scaler for each network; inactive for fp32 and bf16.

    float16 gradients below 6e-8 become zero. So the loss is scaled up and the gradients are scaled down again. A step
    with infinite gradients is skipped, and the scale is lowered.

    Args:
        precision: fp32, bf16 or fp16.
        device_type: cpu or cuda.
    """

    def __init__(self, precision: str, device_type: str) -> None:
        self._scaler = torch.amp.GradScaler(device_type, enabled=precision == "fp16")

    def backward(self, loss: torch.Tensor) -> None:
        """Accumulate the gradients of the scaled `loss`."""
        torch.autograd.backward(self._scaler.scale(loss))

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients of `optimizer` by the scale, for code that reads them before `step`."""
        if self._scaler.is_enabled():
            self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Step the `optimizer` if all gradients are finite, and adapt the scale."""
        if self._scaler.is_enabled():
            self._scaler.step(optimizer)
            self._scaler.update()
        else:
            optimizer.step()

    def state_dict(self) -> dict[str, object]:
        """The scale and its growth tracker; empty for fp32 and bf16."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore a `state` that `state_dict` returned."""
        if self._scaler.is_enabled() and state:
            self._scaler.load_state_dict(state)
