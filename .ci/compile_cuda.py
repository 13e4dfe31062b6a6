"""Compile every .cu alone with nvcc, and look at what came out.

No register may spill, no kernel may use more registers than the budget beside it says, and the hot paths of those in
hot_paths.py may not issue more than that says. cuobjdump is needed for the last: pip install nvidia-cuda-cuobjdump.

A budget is a comment above the kernel, ``// Registers: 48, double 64.``: the most that a thread may use on any GPU
below. A multiprocessor has 65,536 of them, so that blocks of 256 threads fit 8 times at 32, 5 at 48, 4 at 64, 2 at 128.
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import hot_paths

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURES = ["80", "90", "100"]
NEWEST = ARCHITECTURES[-1]
BUDGET = re.compile(r"// Registers: (\d+)(?:, double (\d+))?\.")
KERNEL = re.compile(r"__global__[^;{]*?(\w+)\((?!k)")  # the name, not __launch_bounds__(kThreads)
REPORT = re.compile(
    r"Compiling entry function '(?P<name>\w+)' for '(?P<arch>\w+)'.*?"
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers",
    re.DOTALL,
)


def budgets(source):
    """The budget of each kernel in a file: its name, to the number for all types and the number for double."""
    text = source.read_text()
    found, start = {}, 0
    for kernel in KERNEL.finditer(text):
        budget = BUDGET.search(text, start, kernel.start())
        if budget is None:
            sys.exit(f"{source}: expected a comment such as '// Registers: 48, double 64.' above {kernel[1]}")
        found[kernel[1]] = (int(budget[1]), int(budget[2] or budget[1]))
        start = kernel.end()
    return found


def compiled(source, output):
    """What ptxas says of a file, whose object goes to `output`."""
    torch = Path(importlib.util.find_spec("torch").submodule_search_locations[0])
    command = ["nvcc", "-c", "-O3", "-std=c++20", "--expt-relaxed-constexpr", "-Xptxas", "-v"]
    command += ["-Werror", "all-warnings", "-DFASTGAN_WITH_CUDA", "-DC10_USING_CUSTOM_GENERATED_MACROS"]
    for arch in ARCHITECTURES:
        command += ["-gencode", f"arch=compute_{arch},code=sm_{arch}"]
    command += ["-gencode", f"arch=compute_{NEWEST},code=compute_{NEWEST}"]
    command += [f"-I{ROOT / 'csrc'}", "-isystem", str(torch / "include"), str(source), "-o", str(output)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{source}: nvcc failed\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def mistakes(source, report):
    """Complaints about one file, as lines; and prints the most registers of each of its kernels."""
    limits = budgets(source)
    readable = subprocess.run(["c++filt"], input=report, capture_output=True, text=True, check=True).stdout
    names = re.findall(r"Compiling entry function '(.*?)' for", readable)
    entries = list(REPORT.finditer(report))
    if not entries or len(entries) != len(names):
        return [f"{source.name}: expected ptxas to report its kernels, got:\n{report}"]
    wrong, most = [], {}
    for entry, name in zip(entries, names, strict=True):
        kernel = next(kernel for kernel in limits if re.search(rf"\b{kernel}\b", name.split("(fastgan")[0]))
        is_double = "<double" in name
        used, limit = int(entry["registers"]), limits[kernel][is_double]
        kind = f"{kernel}, double" if is_double else kernel
        most[kind] = max(most.get(kind, 0), used)
        if used > limit:
            wrong.append(f"{source.name}: {name} on {entry['arch']}: expected at most {limit} registers, got {used}")
        if entry["stores"] != "0" or entry["loads"] != "0":
            wrong.append(f"{source.name}: {name} on {entry['arch']}: expected no register spills, got {entry[0]}")
    if missing := [kernel for kernel in limits if kernel not in {kind.split(",")[0] for kind in most}]:
        wrong.append(f"{source.name}: expected ptxas to report {missing}, which it did not")
    print(f"{source.name}:", "; ".join(f"{kind} {used}" for kind, used in most.items()))
    return wrong


def main():
    sources = [Path(name).resolve() for name in sys.argv[1:]] or sorted(ROOT.glob("csrc/kernels/cuda/*.cu"))
    print("most registers a thread on", ", ".join(f"sm_{arch}" for arch in ARCHITECTURES))
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            output = Path(folder, "object.o")
            wrong += mistakes(source, compiled(source, output))
            wrong += hot_paths.mistakes(output)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
