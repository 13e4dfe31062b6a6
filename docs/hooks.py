"""What MkDocs does besides: pictures of benchmarks/results in the site, and the list of modules in internals.md."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "benchmarks/results/"
MARK = "<!-- all other public modules -->"
DOCUMENTED = "::: {0}\n    options:\n      toc_label: {0}"
DIRECTIVE = re.compile(r"^::: (fastgan[\w.]*)$", re.MULTILINE)


def public_modules() -> list[str]:
    """The dotted names of all modules of which no part begins with an underscore."""
    paths = sorted(path.relative_to(ROOT).with_suffix("") for path in ROOT.glob("fastgan/**/*.py"))
    names = [".".join(path.parts[:-1] if path.name == "__init__" else path.parts) for path in paths]
    return sorted(name for name in names if "._" not in name)


def shown_in_api() -> list[str]:
    """The modules that api.md documents, in its order."""
    return DIRECTIVE.findall((ROOT / "docs/api.md").read_text())


def on_files(files: Files, *, config: Any) -> Files:
    """The pictures and figures of benchmarks/results become files of the site, in results/."""
    for path in sorted((ROOT / RESULTS).glob("*")):
        if path.suffix in (".png", ".json"):
            files.append(File.generated(config, f"results/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links to ../benchmarks/results/, which are right in the repository, lead to results/ in the site."""
    if page.file.src_uri == "internals.md":
        others = [name for name in public_modules() if name not in shown_in_api()]
        markdown = markdown.replace(MARK, "\n\n".join(DOCUMENTED.format(name) for name in others))
    return markdown.replace(f"](../{RESULTS}", "](results/")
