#pragma once

#include <cstdint>
#include <tuple>

#include "ops/op.h"

// The ops of matrix products (ops/op.h) and their settings.

namespace fastgan {

struct ProductSettings {
  int64_t threads;  // of the CPU at most, each for a part; 0 leaves all to torch

  auto fields() const { return std::tie(threads); }
};

namespace ops {

// Of (a, b, bias).
struct product
    : Op<product, Tensor(const Tensor&, const Tensor&, const OptionalTensor&), ProductSettings> {
  static constexpr const char* kName = "product";
};

// Of (output, a, b, bias); without a gradient.
struct product_out
    : Op<product_out, void(const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&),
         ProductSettings> {
  static constexpr const char* kName = "product_out";
};

}  // namespace ops
}  // namespace fastgan
