#pragma once

// The instruction set that the CPU kernels use: the best one that the processor has, or a lower one
// set by the environment variable FASTGAN_CPU_CAPABILITY = avx512 | avx2 | default, which is read
// once.

namespace fastgan {

enum class Capability { kDefault, kAvx2, kAvx512 };

// Throws std::runtime_error if the variable names no instruction set, or one that the processor
// does not have.
Capability capability();

// The same, spelled as in FASTGAN_CPU_CAPABILITY.
const char* cpu_capability();

}  // namespace fastgan
