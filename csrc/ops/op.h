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
// The schema's arguments are, in this order, those of the function type, the fields of XSettings
// and the types after it (here one bool). A settings struct lists its fields in fields(), a
// std::tie(). Loading the library fails if the declaration and the schema differ. To add an
// argument: add it to the schema, to the struct and to fields().
//
//   X::call(input, settings, flag)     calls the op through the dispatcher
//   X::implement<f>(library)           registers f(input, settings, flag) as a kernel

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
