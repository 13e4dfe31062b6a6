"""The commands of README and docs/, run as they stand there: `python .ci/pages.py [LINE...]`, with `fastgan[test]`.

The lines of the `sh` blocks run one after the other in a copy of the sources, page by page; a line that stands twice
runs once. The `python` blocks of a page run in one process beside that copy. Both folders are deleted at the end. A
LINE is left out: it ran before. `pip install '.[...]'` brings what the extra needs but does not compile fastgan again.
The `pycon` blocks and the examples of ELSEWHERE are run by tests/docs/test_examples.py.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {"docs/examples.md"}  # with fewer steps, and where Lightning and Accelerate are installed
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL = re.compile(r"pip install '?\.(\[\w+\])?'?(?= |$)")
# What the reader brings: tables, and a model of their own.
TABLES = """
import numpy as np

rng = np.random.default_rng(0)
table = rng.normal(size=(200, 4)).round(4).astype(str)
np.savetxt("in.csv", np.column_stack([table, rng.integers(0, 2, 200)]), "%s", ",", header="a,b,c,d,y", comments="")
table[rng.random(table.shape) < 0.2] = ""
np.savetxt("holes.csv", table, "%s", ",", header="a,b,c,d", comments="")
"""
MODEL = """
import torch

model = torch.nn.Sequential(
    torch.nn.Conv2d(3, 8, 4, 2, 1), torch.nn.LeakyReLU(0.2), torch.nn.Dropout(0.3),
    torch.nn.Flatten(), torch.nn.Linear(8192, 1),
)
"""
MADE = ("grid.png", "runs/digits/eval.json", "new.json", "out/*.png", "out.csv", "site/index.html", "runs/big/weights*")
# Another exit code than 0 is fine where the output shows that the work was done: two runs on a busy machine may well
# differ beyond their noise, and a crash ends with 1 too.
EXIT_CODES = {"fastgan bench --quick --compare": (1, re.compile(r"^[1-9]\d* cases compared, [1-9]", re.MULTILINE))}


def pages():
    """The text of each page that is run, by its name."""
    names = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md"))]
    return {name: (ROOT / name).read_text() for name in names if name not in ELSEWHERE}


def blocks(language, text):
    """The blocks of a page in a language."""
    return [block for found, block in BLOCK.findall(text) if found == language]


def commands(text):
    """The lines of a page's `sh` blocks without their comments."""
    lines = (line.partition("  #")[0].rstrip() for block in blocks("sh", text) for line in block.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def run(page, name, command, cwd, **options):
    """Run a command of a page, say what it took; exit where it failed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    print(f"  {page}: {name}: {time.perf_counter() - start:.0f} s", flush=True)
    code, shown = next((other for line, other in EXIT_CODES.items() if name.startswith(line)), (0, re.compile("")))
    if done.returncode == 0 or (done.returncode == code and shown.search(done.stdout)):
        return
    wanted = "exit code 0" + (f", or {code} and a line like {shown.pattern!r}," if code else "")
    sys.exit(f"{done.stdout}\n{page}: expected {wanted} of `{name}`, got {done.returncode}")


def main(done):
    """Run all that the pages show and that is not `done`."""
    texts = pages()
    lines = {line: page for page, text in reversed(texts.items()) for line in commands(text)}
    if missing := [line for line in done if lines.get(line) != "README.md"]:
        sys.exit(f"README.md: expected the lines {missing}")
    done = set(done)
    with tempfile.TemporaryDirectory() as scratch:
        clone, beside = Path(scratch, "fastgan"), Path(scratch, "beside")
        clone.mkdir()
        beside.mkdir()
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["xargs", "-0", "cp", "--parents", "-t", clone], cwd=ROOT, check=True, input=listed.stdout)
        subprocess.run([sys.executable, "-c", TABLES], cwd=beside, check=True)
        for table in beside.glob("*.csv"):
            table.rename(clone / table.name)
        for page, text in texts.items():
            for line in commands(text):
                if line not in done:
                    run(page, line, INSTALL.sub(r"pip install -q 'fastgan\1'", line), clone, shell=True)
                    done.add(line)
            if examples := blocks("python", text):
                run(page, "the python blocks", [sys.executable, "-"], beside, input=MODEL + "\n".join(examples))
        for wanted in MADE:
            if not any(path.stat().st_size for path in clone.glob(wanted)):
                sys.exit(f"expected the commands to write {wanted}, found none that is not empty")


if __name__ == "__main__":
    main(sys.argv[1:])
