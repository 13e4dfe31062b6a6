"""Devices without kernels, for tests on a machine that has only devices with some."""

from fastgan import _C
from fastgan.functional import composed

_EAGER = _C.bias_act_dropout


def set_kernel_devices(monkeypatch, *devices):
    """Make `devices` the only ones that have kernels."""
    monkeypatch.setattr(composed, "_KERNEL_DEVICES", frozenset(devices))
    monkeypatch.setattr(_C, "bias_act_dropout", _EAGER if "cpu" in devices else lambda *_: None)
