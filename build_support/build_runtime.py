"""The C++ runtime of the library: torch's, so that an exception thrown in one is caught in the other.

A linker takes the static libstdc++ where a machine has no libstdc++.so for it, or where CXX says so. The library then
has a runtime of its own, and reporting an error ends the process (seen with gcc 13.3 on Ubuntu 24.04).
"""

import os
import sys
from pathlib import Path

from build_toolkit import output

SHARED = "libstdc++.so"


def shared_runtime(compiler: list[str]) -> list[str]:
    """What is linked so that no static runtime is needed: the compiler's shared one, or else that of this process.

    The process has torch loaded, so its runtime is torch's.
    """
    if sys.platform != "linux":
        return []
    path = output(*compiler, f"-print-file-name={SHARED}.6").strip()
    if os.path.isabs(path):  # a compiler that finds none prints the name alone
        return [path]
    mapped = {line.split(maxsplit=5)[-1].strip() for line in Path("/proc/self/maps").read_text().splitlines()}
    return sorted(path for path in mapped if os.path.basename(path).startswith(f"{SHARED}.6"))[:1]


def check_runtime(library: Path) -> None:
    """End the build if the library has a C++ runtime of its own."""
    if sys.platform == "linux" and SHARED.encode() not in library.read_bytes():
        raise SystemExit(
            f"fastgan: the C++ runtime: expected {library.name} to share torch's {SHARED}.6, got one with a static"
            " runtime, whose errors would end the process. Install the compiler's shared libstdc++, and leave"
            " -static-libstdc++ out of CXX and LDFLAGS."
        )
