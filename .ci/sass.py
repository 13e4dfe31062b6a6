"""Count what a warp issues along the hot path of a kernel, from the SASS that `cuobjdump --dump-sass` prints.

The hot path is found, not given, as addresses change with every change of a source. Of all paths from a kernel's first
instruction to an EXIT it is one that

- takes no branch back, so that each loop makes one turn, and calls nothing, as nvcc calls only its slow paths;
- makes the most accesses of 16 bytes, which only the aligned path has; then passes the most of the other MARKS, which
  shortcuts leave out; and
- among those is the shortest, as that of an octet that is no special case.

Counted are the instructions issued, predicated ones included, and the cycles of the ALU, the narrowest pipe of these
kernels: each of its instructions takes two. This is arithmetic on paper and no measurement.
"""

import itertools
import re
import subprocess
from typing import NamedTuple

FUNCTION = re.compile(r"^\s*Function : (\S+)")
INSTRUCTION = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;")
OPERATION = re.compile(r"(?P<guard>@!?U?P\w+\s+)?(?P<name>[A-Z][\w.]*)\s*(?P<operands>.*)")
TARGET = re.compile(r"(0x[0-9a-f]+)\s*$")

WIDE = re.compile(r"\b(LDG|STG)\S*\.128\b")
PHILOX = re.compile(r"0xd2511f53|0x2daee0ad|0xcd9e8d57|0x326172a9")  # its multipliers, negated or not
# State bytes; single numbers, such as a bias; Philox rounds; exponentials.
MARKS = re.compile(rf"\b(LDG|STG)\S*\.U8\b|\bLDG\.E(\.CONSTANT)? |{PHILOX.pattern}|\bMUFU\.EX2")

ALU_CYCLES = 2
# Prefixes of operations on other pipes than the ALU. What is not listed counts as the ALU's, to be cautious.
ELSEWHERE = {
    "FMA": ("FFMA", "FMUL", "FADD", "IMAD", "HFMA2", "HMUL2", "HADD2"),
    "FP64": ("DADD", "DMUL", "DFMA", "DSETP"),
    "XU": ("MUFU", "F2I.", "I2F.", "F2F.", "FRND", "FLO", "POPC"),
    "memory": ("LD", "ST", "SHFL", "ATOM", "RED", "MEMBAR", "ERRBAR", "CCTL"),
    "registers": ("S2R", "S2UR", "CS2R", "B2R", "R2UR"),
    "uniform": ("U", "VOTEU"),
    "control": ("BRA", "EXIT", "BSSY", "BSYNC", "NOP", "BAR", "RET", "CALL", "WARPSYNC", "BREAK", "YIELD"),
}


class Path(NamedTuple):
    """A path, compared as the module says: a greater one is hotter."""

    wide: int
    marks: int
    shortness: int
    instructions: tuple

    @property
    def issued(self):
        return len(self.instructions)

    @property
    def alu_cycles(self):
        return ALU_CYCLES * sum(pipe_of(text) == "ALU" for text in self.instructions)

    @property
    def draws_before_loads(self):
        """Whether Philox rounds stand before a wide load, so that they cannot hide the memory's latency.

        Two products may: those of the offset, which all octets of a thread share.
        """
        products = [place for place, text in enumerate(self.instructions) if PHILOX.search(text)]
        loads = [place for place, text in enumerate(self.instructions) if WIDE.search(text) and "LDG" in text]
        return len(products) > 2 and bool(loads) and products[2] < loads[-1]


def pipe_of(text):
    """The pipe that executes an instruction."""
    name = OPERATION.match(text)["name"]
    return next((pipe for pipe, prefixes in ELSEWHERE.items() if name.startswith(prefixes)), "ALU")


def kernels(listing):
    """The kernels of a listing: demangled name to a dict of address to instruction."""
    found, code = {}, {}
    for line in listing.splitlines():
        if match := FUNCTION.match(line):
            code = found[match[1]] = {}
        elif match := INSTRUCTION.match(line):
            code[int(match[1], 16)] = match[2]
    names = subprocess.run(["c++filt", *found], capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(zip(names, found.values(), strict=True))


def hot_path(code, start=None, end=None):
    """The hot path of a kernel, as `kernels` returns it: from its start to EXIT, or from `start` to a branch to `end`.

    None where there is none without a call.
    """
    addresses = sorted(code)
    after = dict(itertools.pairwise(addresses))
    targets = {int(match[1], 16) for text in code.values() if (match := TARGET.search(text))}
    known, on_the_way = {}, set()

    def best(address, meetings):
        """The hottest path from an address on. `meetings` are where the BSYNCs that lie ahead lead, by register."""
        state = address, meetings
        if address in on_the_way:  # a branch back
            return None
        if state not in known:
            on_the_way.add(address)
            known[state] = search(address, dict(meetings))
            on_the_way.remove(address)
        return known[state]

    def search(address, meetings):
        block = []
        following = [address]
        while len(following) == 1 and following[0] is not None and (not block or following[0] not in targets):
            (address,) = following
            block.append(code[address])
            following = successors(code[address], after.get(address), meetings)
            if end is not None:  # this end, and no EXIT
                following = [None if target == end else target for target in following if target is not None]
        ends = [Path(0, 0, 0, ())] if None in following else []
        ends += [best(target, tuple(sorted(meetings.items()))) for target in following if target is not None]
        return joined(block, max((end for end in ends if end is not None), default=None))

    return best(addresses[0] if start is None else start, ())


def hot_loop(code):
    """One turn of a kernel's hottest loop, for kernels whose threads make many turns; None where there is none."""
    branches = {
        address: int(match[1], 16)
        for address, text in code.items()
        if OPERATION.match(text)["name"].startswith("BRA") and (match := TARGET.search(text))
    }
    heads = {target for address, target in branches.items() if target <= address}
    turns = [hot_path(code, head, head) for head in sorted(heads)]
    return max((turn for turn in turns if turn is not None), default=None)


def joined(block, rest):
    if rest is None:
        return None
    wide = sum(bool(WIDE.search(text)) for text in block)
    marks = sum(bool(MARKS.search(text)) for text in block)
    return Path(rest.wide + wide, rest.marks + marks, rest.shortness - len(block), (*block, *rest.instructions))


def successors(text, following, meetings):
    """The addresses to which an instruction may lead; None stands for the kernel's end. Notes a BSSY in `meetings`."""
    operation = OPERATION.match(text)
    name, operands = operation["name"].split(".")[0], operation["operands"]
    if name in ("CALL", "RET", "BRX", "JMX", "KILL", "BPT"):
        return []
    if name == "EXIT":
        return [None] + [following] * bool(operation["guard"])
    if name == "BSSY":
        meetings[operands.split(",")[0]] = int(TARGET.search(operands)[1], 16)
    if name == "BSYNC":
        register = operands.split(",")[0]
        return [meetings[register]] if register in meetings else []  # a loop's end, where the path began inside
    if name != "BRA" or ".DIV" in operation["name"]:  # BRA.DIV: the lanes of a warp have diverged
        return [following]
    target = int(TARGET.search(operands)[1], 16)
    conditional = operation["guard"] or "," in operands
    return [target, following] if conditional else [target]
