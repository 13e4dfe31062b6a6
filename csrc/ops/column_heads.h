#pragma once

#include <c10/core/SymInt.h>
#include <c10/util/ArrayRef.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "ops/op.h"

// Row column_heads: its ops (ops/op.h) and their settings.

namespace fastgan {

// Valid during the call.
struct ColumnHeadsSettings {
  int64_t scalars;
  c10::IntArrayRef widths;
  double tau;
  // Symbolic while torch.compile traces, so that a new seed does not recompile.
  const std::optional<c10::SymInt>& seed;
  const c10::SymInt& offset;
  const std::optional<at::Generator>& generator;

  auto fields() const { return std::tie(scalars, widths, tau, seed, offset, generator); }
};

struct ColumnHeadsBackwardSettings {
  int64_t scalars;
  c10::IntArrayRef widths;
  double tau;

  auto fields() const { return std::tie(scalars, widths, tau); }
};

namespace ops {

struct column_heads : Op<column_heads, Tensor(const Tensor&), ColumnHeadsSettings> {
  static constexpr const char* kName = "column_heads";
};

// Of (grad, output).
struct column_heads_backward
    : Op<column_heads_backward, Tensor(const Tensor&, const Tensor&), ColumnHeadsBackwardSettings> {
  static constexpr const char* kName = "column_heads_backward";
};

}  // namespace ops
}  // namespace fastgan
