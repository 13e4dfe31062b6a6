#pragma once

namespace fastgan {

// The type in which the elements of a tensor of T are computed.
template <class T>
struct ArithmeticOf {
  using type = float;
};
template <>
struct ArithmeticOf<double> {
  using type = double;
};
template <class T>
using Arithmetic = typename ArithmeticOf<T>::type;

}  // namespace fastgan
