"""Faults that are planted in copies of the CUDA sources, each of which a driver has to find."""

from typing import NamedTuple

import build

# 0: blocks, warps and lanes in the order of their numbers; else a seed of random priorities.
ORDERS = [0, 1, 2, 3]


class Fault(NamedTuple):
    """A patch of a copy of csrc. `message` is part of what the driver then prints, if that is certain."""

    row: str
    path: str
    text: str
    patch: str
    message: str = ""
    sanitize: str = build.SANITIZE
    orders: tuple = (0,)  # the driver fails in one of these


REDUCE, OCTETS, ROW = "kernels/cuda/reduce.cuh", "kernels/cuda/octet_io.cuh", "kernels/cuda/bias_act_dropout.cu"
TILES, BIAS, GAN = "kernels/cuda/tile.cuh", "kernels/cuda/tile_bias.cuh", "kernels/cuda/gan_loss.cu"
OCTET = "kernels/cuda/bias_act_dropout_octet.cuh"
HEADS, TEAM, LOSS = "kernels/cuda/column_heads.cu", "kernels/cuda/team.cuh", "kernels/cuda/condition_loss.cu"
GUARD = "" if build.SANITIZE else "wrote"  # a sanitizer prints its own message
FAULTS = {
    "one octet too many": Fault(
        "bias_act_dropout",
        OCTET,
        "  store_octet(params.y, octet, params.elements, aligned, value);",
        "  store_octet(params.y, octet, params.elements, aligned, value);\n"
        "  if ((octet + 1) * kOctet >= params.elements && params.active != nullptr) params.active[octet + 1] = 0;",
        GUARD,
    ),
    "one element too many": Fault("bias_act_dropout", OCTETS, "if (i < left)", "if (i <= left)", GUARD),
    "a tail that is left out": Fault("bias_act_dropout", OCTETS, "if (i < left)", "if (i + 1 < left)", "y["),
    "a draw at the wrong bit": Fault(
        "bias_act_dropout",
        OCTET,
        "scalar::activate(value[i], ((keep >> i)",
        "scalar::activate(value[i], ((keep >> (7 - i))",
    ),
    "a tile's index in 32 bits": Fault("bias_act_dropout", TILES, "const int64_t tile =", "const uint32_t tile ="),
    "an octet index of 32 bits in a tile's draws": Fault(
        "bias_act_dropout", ROW, "static_cast<uint32_t>(owned >> 32));", "0u);", "octets above 2^32: "
    ),
    "a tile past the end": Fault(
        "bias_act_dropout", TILES, "if ((first + kTileOctets) * kOctet <= elements)", "if (first * kOctet < elements)"
    ),
    "a row past the end": Fault(
        "gan_loss", GAN, "(first + kWarp) * kOctet <= side.elements", "first * kOctet < side.elements"
    ),
    "the bits of the part beside": Fault(
        "bias_act_dropout", TILES, ">> (kWidth * part_);", ">> (kWidth * (part_ ^ 1));"
    ),
    "an exchange without the lane beside": Fault(
        "bias_act_dropout", TILES, "int distance = 1; distance < kParts", "int distance = 2; distance < kParts"
    ),
    "a state in another row's place": Fault(
        "bias_act_dropout",
        ROW,
        "store_state(params, owned + row * kWarp, state);",
        "store_state(params, owned, state);",
    ),
    "a bias of the channel before": Fault("bias_act_dropout", BIAS, "i < left ? first", "i <= left ? first", "bias, "),
    "a bias that does not wrap around": Fault("bias_act_dropout", BIAS, "place >= channels", "place > channels"),
    "a misaligned bias": Fault(
        "bias_act_dropout",
        BIAS,
        " && aligned16(bias)",
        "",
        "misaligned address",
        sanitize="address,undefined" if "address" in build.SANITIZE else "undefined",
    ),
    "an octet index of 32 bits in a draw": Fault(
        "bias_act_dropout",
        OCTET,
        "keep &= keep_octet(random, octet, params",
        "keep &= keep_octet(random, static_cast<uint32_t>(octet), params",
        "octets above 2^32: ",
    ),
    "an element index of 32 bits in a store": Fault(
        "bce", OCTETS, "  T* first = base + octet * kOctet;", "  T* first = base + static_cast<int>(octet * kOctet);"
    ),
    "a block without work that adds something": Fault(
        "gan_loss",
        GAN,
        "  sums = sum_over_block(sums);\n  if (threadIdx.x == 0) params.partials",
        "  if (place.block * blockDim.x >= octets && place.block > 0) sums.loss = 1;\n"
        "  sums = sum_over_block(sums);\n  if (threadIdx.x == 0) params.partials",
        "more: loss: expected",
    ),
    "a draw of the next octet": Fault(
        "bias_act_dropout",
        OCTET,
        "keep &= keep_octet(random, octet, params",
        "keep &= keep_octet(random, octet + 1, params",
    ),
    "no barrier between write and read": Fault(
        "bce",
        REDUCE,
        "value;\n  __syncthreads();\n",
        "value;\n",
    ),
    "no barrier between read and rewrite": Fault(
        "gan_loss",
        REDUCE,
        "__syncthreads();  // threads may still read warp_sums of the previous call",
        "",
        orders=tuple(ORDERS[1:]),
    ),
    "no barrier before the ticket's answer": Fault(
        "bce", REDUCE, "  __syncthreads();\n  return is_last", "  return is_last", orders=tuple(ORDERS[1:])
    ),
    "a ticket that is not reset": Fault("bce", REDUCE, "atomicExch(ticket, 0u)", "(void)0", "ticket: expected 0"),
    "a return before a barrier": Fault(
        "bce",
        "kernels/cuda/bce.cu",
        "  sum = block_sum(sum);",
        "  if (blockIdx.x * blockDim.x + threadIdx.x >= octets) return;\n  sum = block_sum(sum);",
        "returned before the barrier at",
    ),
    "a shared array too short": Fault(
        "bce",
        REDUCE,
        "warp_sums, kThreads / kWarp)",
        "warp_sums, kThreads / kWarp - 1)",
        "" if build.SANITIZE else "wrote past a shared array",
    ),
    # No order of threads shows these. ThreadSanitizer finds them in the driver's small case.
    "no fence before the ticket": Fault(
        "bce", REDUCE, "    __threadfence();  // this block's", "    // this block's", "data race", "thread", ("races",)
    ),
    "no fence after the ticket": Fault(
        "gan_loss",
        REDUCE,
        "    __threadfence();  // the ticket",
        "    // the ticket",
        "data race",
        "thread",
        ("races",),
    ),
    "no barrier between read and rewrite, in one order": Fault(
        "gan_loss", REDUCE, "__syncthreads();  // threads may", "// threads may", "data race", "thread", ("races",)
    ),
    "a misaligned access of 16 bytes": Fault(
        "bias_act_dropout",
        ROW,
        "aligned16(params.x) && aligned16(params.y)",
        "true",
        "misaligned address",
        sanitize="address,undefined" if "address" in build.SANITIZE else "undefined",
    ),
    "noise of the row beside": Fault(
        "column_heads", HEADS, "draw_entries(random, row, static", "draw_entries(random, row + 1, static", "y["
    ),
    "a row's number in 32 bits in a draw": Fault(
        "column_heads",
        HEADS,
        "draw_entries(random, row, static",
        "draw_entries(random, static_cast<uint32_t>(row), static",
        "rows above 2^32: y[",
    ),
    "a word of the block's other half": Fault("column_heads", HEADS, "? high : low", "? low : high", "y["),
    "a key that is not the captured one": Fault(
        "column_heads", HEADS, "random_key(params.random)", "{params.random.seed, params.random.offset}", "33 rows"
    ),
    "columns behind those in registers that are left out": Fault(
        "column_heads", HEADS, "team.lane() + kHeld * team.size();", "team.lane() + (kHeld + 1) * team.size();", "y["
    ),
    "a sum without the lane beside": Fault(
        "column_heads",
        TEAM,
        "      value += __shfl_xor_sync(0xFFFFFFFFu, value, distance);",
        "      const S other = __shfl_xor_sync(0xFFFFFFFFu, value, distance);\n"
        "      value += distance > 1 ? other : S(0);",
    ),
    "scalars of the segment behind them": Fault(
        "column_heads", HEADS, "layout.scalars - first < tasks.team ?", "layout.scalars - first < 0 ?"
    ),
    "a task past the last row": Fault(
        "column_heads", HEADS, "if (index >= tasks.count()) return;", "if (index > tasks.count()) return;", GUARD
    ),
    "a row that every lane of its team adds": Fault(
        "condition_loss", LOSS, "row >= terms.rows || team.lane() != 0", "row >= terms.rows", "loss: expected"
    ),
    "a condition that is no entry and is looked up": Fault(
        "condition_loss", LOSS, "entry < 0 || entry >= layout.entries()", "entry < 0"
    ),
    "a row's element in 32 bits in a store": Fault(
        "condition_loss",
        LOSS,
        "params.grad_input + row * terms",
        "params.grad_input + static_cast<int>(row) * terms",
    ),
    "a condition's column without the scalars before it": Fault(
        "condition_loss", LOSS, "place = layout.scalars + entry;", "place = entry;"
    ),
}
