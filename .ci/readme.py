"""README's commands, run as they stand there: `python .ci/readme.py [LINE...]`, with `fastgan[test]` installed.

The lines of its `sh` blocks run one after the other in a copy of the sources, the `python` blocks in one process beside
it; both are deleted at the end. A LINE is left out: it ran before. `pip install '.[...]'` brings what the extra needs
but does not compile fastgan again.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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
MADE = ("grid.png", "runs/digits/eval.json", "new.json", "out/*.png", "out.csv", "docs/fastgan.html")
MADE += ("runs/big/weights*",)
# Another exit code than 0 is fine where the output shows that the work was done: two runs on a busy machine may well
# differ beyond their noise, and a crash ends with 1 too.
EXIT_CODES = {"fastgan bench --quick --compare": (1, re.compile(r"^[1-9]\d* cases compared, [1-9]", re.MULTILINE))}


def blocks(language, text):
    """The blocks of README in a language."""
    return [block for found, block in BLOCK.findall(text) if found == language]


def run(name, command, cwd, **options):
    """Run a command, say what it took; exit where it failed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    print(f"  {name}: {time.perf_counter() - start:.0f} s", flush=True)
    code, shown = next((other for line, other in EXIT_CODES.items() if name.startswith(line)), (0, re.compile("")))
    if done.returncode == 0 or (done.returncode == code and shown.search(done.stdout)):
        return
    wanted = "exit code 0" + (f", or {code} and a line like {shown.pattern!r}," if code else "")
    sys.exit(f"{done.stdout}\nREADME.md: expected {wanted} of `{name}`, got {done.returncode}")


def main(done):
    """Run all that README shows and that is not `done`."""
    text = (ROOT / "README.md").read_text()
    lines = [line.partition("  #")[0].rstrip() for block in blocks("sh", text) for line in block.splitlines()]
    if missing := [line for line in done if line not in lines]:
        sys.exit(f"README.md: expected the lines {missing}")
    with tempfile.TemporaryDirectory() as scratch:
        clone, beside = Path(scratch, "fastgan"), Path(scratch, "beside")
        clone.mkdir()
        beside.mkdir()
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["xargs", "-0", "cp", "--parents", "-t", clone], cwd=ROOT, check=True, input=listed.stdout)
        subprocess.run([sys.executable, "-c", TABLES], cwd=beside, check=True)
        for table in beside.glob("*.csv"):
            table.rename(clone / table.name)
        for line in lines:
            if line not in done:
                run(line, line.replace("pip install '.[", "pip install -q 'fastgan["), clone, shell=True)
        for wanted in MADE:
            if not any(path.stat().st_size for path in clone.glob(wanted)):
                sys.exit(f"README.md: expected its commands to write {wanted}, found none that is not empty")
        run("the python blocks", [sys.executable, "-"], beside, input=MODEL + "\n".join(blocks("python", text)))


if __name__ == "__main__":
    main(sys.argv[1:])
