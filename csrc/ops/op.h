#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

// Calls and implements the ops of library.cpp. Row X declares its ops in ops/X.h, in namespace ops,
// under the names of their schemas:
//
//   struct X : Op<X, Tensor(const Tensor& input), XSettings, bool> {
//     static constexpr const char* kName = "X";
//   };
//
// A schema's arguments are, in this order, those of the function type, the fields of XSettings, and
// the types that follow it. Settings are a struct whose fields() lists its fields in a std::tie().
// The dispatcher checks all of it against the schema when the library is loaded.

namespace fastgan {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// How the dispatcher passes an argument of type T.
template <class T>
struct ArgumentOf {
  using type = T;
};
template <>
struct ArgumentOf<OptionalTensor> {
  using type = const OptionalTensor&;
};
template <>
struct ArgumentOf<std::optional<at::Generator>> {
  using type = const std::optional<at::Generator>&;
};
template <class T>
using Argument = typename ArgumentOf<std::decay_t<T>>::type;

template <class Self, class Signature, class Settings, class Fields, class... Trailing>
struct OpOfFields;

template <class Self, class Result, class... Inputs, class Settings, class... Fields,
          class... Trailing>
struct OpOfFields<Self, Result(Inputs...), Settings, std::tuple<Fields...>, Trailing...> {
  // Calls the op through the dispatcher.
  static Result call(Inputs... inputs, const Settings& settings, Trailing... trailing) {
    static const auto op =
        c10::Dispatcher::singleton()
            .findSchemaOrThrow(("fastgan::" + std::string(Self::kName)).c_str(),
                               /*overload_name=*/"")
            .template typed<Result(Inputs..., Argument<Fields>..., Trailing...)>();
    return std::apply(
        [&](Fields... fields) -> Result { return op.call(inputs..., fields..., trailing...); },
        settings.fields());
  }

  // Registers `f` as the op's kernel for the dispatch key of `m`.
  template <Result (*f)(Inputs..., const Settings&, Trailing...)>
  static void implement(torch::Library& m) {
    m.impl(Self::kName, TORCH_FN(kernel<f>));
  }

 private:
  template <Result (*f)(Inputs..., const Settings&, Trailing...)>
  static Result kernel(Inputs... inputs, Argument<Fields>... fields, Trailing... trailing) {
    return f(inputs..., Settings{fields...}, trailing...);
  }
};

template <class Self, class Signature, class Settings, class... Trailing>
using Op = OpOfFields<Self, Signature, Settings, decltype(std::declval<const Settings&>().fields()),
                      Trailing...>;

}  // namespace fastgan
