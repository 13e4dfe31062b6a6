#pragma once

// Which instruction set the CPU kernels run: the best one that the processor has, or a lower one
// asked for with the environment variable FASTGAN_CPU_CAPABILITY = avx512 | avx2 | default. It is
// read once.

namespace fastgan {

enum class Capability { kDefault, kAvx2, kAvx512 };

// Throws std::runtime_error where the variable names no instruction set, or one that the processor
// lacks.
Capability capability();

// The same in the spelling of FASTGAN_CPU_CAPABILITY.
const char* cpu_capability();

}  // namespace fastgan
