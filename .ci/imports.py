"""The package's imports: no circle, arrows one way, and nobody imports another package's private module.

`python .ci/imports.py` lists what breaks these rules and ends with 1. Imports inside functions and under TYPE_CHECKING
count like all others.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# What each package may import besides itself and `_support`, which may import nothing of fastgan.
MAY_IMPORT = {
    "_support": set(),
    "functional": {"_C"},
    "nn": {"functional"},
    "convert": {"functional", "nn"},
    "losses": {"functional"},
    "models": {"data", "functional", "nn"},
    "data": set(),
    "metrics": {"data", "functional", "nn"},
    "train": {"convert", "data", "functional", "losses", "metrics", "models", "nn"},
    "explain": {"convert", "train"},
    "explore": {"explain", "train"},
    "report": {"data", "metrics", "train"},
    "supervised": {"data", "functional", "losses", "nn", "train"},
    "tabular": {"data", "functional", "models", "nn", "train"},
    "bench": {"convert", "data", "fastgan", "functional", "models", "nn", "train"},
}
# The command line may import everything; the package itself what `import fastgan` shows.
MAY_IMPORT["cli"] = {*MAY_IMPORT, "fastgan"}
MAY_IMPORT["fastgan"] = {"_C", "_built_for", "convert", "functional", "nn"}


def modules() -> dict[str, ast.Module]:
    """Every module's dotted name below fastgan, and its syntax tree."""
    found = {}
    for path in sorted((ROOT / "fastgan").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(tree: ast.Module, known: set[str]) -> set[str]:
    """The modules of fastgan that a module imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "fastgan"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fastgan":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in known else str(node.module))
    return found


def package_of(module: str) -> str:
    """The package of a module: the part behind `fastgan.`."""
    return module.split(".")[1] if "." in module else module


def circle(edges: dict[str, set[str]]) -> list[str] | None:
    """A circle of imports, first module repeated at the end, or None."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str] | None:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        for following in sorted(edges.get(module, ())):
            if found := walk(following, [*path, module]):
                return found
        done.add(module)
        return None

    for module in sorted(edges):
        if found := walk(module, []):
            return found
    return None


def faults(trees: dict[str, ast.Module]) -> list[str]:
    """What breaks the rules, a line each."""
    known = {*trees, "fastgan._C", "fastgan._built_for"}
    edges = {module: imported(tree, known) - {module} for module, tree in trees.items()}
    found = []
    for module, others in edges.items():
        package = package_of(module)
        for other in sorted(others):
            target = package_of(other)
            if target == package:
                continue
            if target != "_support" and target not in MAY_IMPORT[package]:
                found.append(
                    f"{module} imports {other}: expected {package} to import only {sorted(MAY_IMPORT[package])}"
                )
            if any(part.startswith("_") for part in other.split(".")[2:]):
                found.append(f"{module} imports {other}, a private module of another package")
    if loop := circle(edges):
        found.append("a circle of imports: " + " -> ".join(loop))
    packages: dict[str, set[str]] = {}
    for module, others in edges.items():
        packages.setdefault(package_of(module), set()).update({package_of(o) for o in others} - {package_of(module)})
    if loop := circle(packages):
        found.append("a circle of packages: " + " -> ".join(loop))
    return found


if __name__ == "__main__":
    broken = faults(modules())
    print("\n".join(broken) or "imports: no circle, all arrows one way")
    sys.exit(bool(broken))
