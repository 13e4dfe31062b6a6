from typing import Literal, TypedDict

class _BuildInfo(TypedDict):
    cuda: str | None
    compiler: str

def build_info() -> _BuildInfo: ...
def cpu_capability() -> Literal["avx512", "avx2", "default"]: ...
