#pragma once

#include <cstdint>
#include <functional>

// Threads that help a caller with the parts of a piece of work.
//
// The caller takes parts, too, and waits only for parts that a helper has begun. So a helper that
// gets no processor before it begins one, or is gone after a fork, delays nothing. OpenMP's threads
// meet at the end of each block, also those without work: beside another busy process two of them
// are many times slower than one.

namespace fastgan {

// Calls compute(part) once for each part from 0 to parts - 1, with `threads` threads at most, the
// caller's included, and the caller's settings of torch. Throws what a part threw. The caller works
// alone while helpers are busy with another's work, and where torch has several threads for it.
void run_parts(int64_t parts, int64_t threads, const std::function<void(int64_t)>& compute);

}  // namespace fastgan
