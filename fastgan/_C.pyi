from typing import Literal, TypedDict

from torch import Tensor

class _BuildInfo(TypedDict):
    cuda: str | None
    compiler: str

def build_info() -> _BuildInfo: ...
def cpu_capability() -> Literal["avx512", "avx2", "default"]: ...
def bias_act_dropout(
    input: object, negative_slope: float, p: float, feature: bool, inplace: bool, /
) -> Tensor | None: ...
