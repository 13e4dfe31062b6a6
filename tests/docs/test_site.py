"""The pages: their links, the length of README, and the site with every public module, which loads nothing."""

import pkgutil
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastgan

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
PAGES += [ROOT / "tests/README.md", ROOT / "tests/emulated/README.md", ROOT / "benchmarks/results/README.md"]
LINK = re.compile(r"(?:\]\(|src=\")([^)\s\"]+)")
MODULES = {"fastgan", *(m.name for m in pkgutil.walk_packages(fastgan.__path__, "fastgan.") if "._" not in m.name)}


def anchors(page):
    """The anchors of a page's headings, as they are made on the site and by forges alike."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_of_a_page_lead_somewhere(page):
    dead = []
    for link in LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        if re.match(r"\w+:", link):
            continue
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_files_and_functions_that_a_page_names_exist(page):
    text = page.read_text()
    files = re.findall(r"`((?:csrc|fastgan|tests|benchmarks|docs|\.ci)/[\w./-]*)`", text)
    files = [name for name in files if not re.search(r"(\b|_)X\b", name)]  # X stands for any row
    assert [name for name in files if not (ROOT / name).exists() and not (page.parent / name).exists()] == []
    names = re.findall(r"`(fastgan(?:\.[A-Za-z_]\w*)+)`", text)
    assert [name for name in names if pydoc.locate(name) is None] == []


def test_the_tests_that_promises_name_exist():
    named = re.findall(r"`(\w+/test_\w+\.py)`", (ROOT / "tests/README.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).exists()] == []


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 120


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as the documented command builds it."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_public_module_has_a_place_in_the_api_pages_and_no_other_has(site):
    pages = [(site / name).read_text() for name in ("api.html", "internals.html")]
    shown = [name for page in pages for name in re.findall(r'<h2 id="(fastgan[\w.]*)" class="doc doc-heading">', page)]
    assert sorted(shown) == sorted(MODULES)


def test_the_site_loads_nothing_from_the_network(site):
    loading = r'src(?:set)?="(?:https?:)?//|<link[^>]*rel="(?:stylesheet|preconnect|icon)"[^>]*href="(?:https?:)?//'
    found = {page.name: re.findall(loading, page.read_text()) for page in site.glob("*.html")}
    assert not any(found.values()), found
    assert len(found) > 10
