#include "eager.h"

#include <ATen/PythonTorchFunctionTLS.h>
#include <ATen/core/Tensor.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <optional>
#include <tuple>

#include "ops/bias_act_dropout.h"

// The short way from Python to an op of small tensors. torch.ops reads a call's arguments by the
// op's schema, one boxed value after the other, which takes 3 us for the twelve of
// bias_act_dropout: as long as leaky ReLU of 64 x 256 numbers. These functions read the few
// arguments of the usual call themselves and call the op through the dispatcher, where autograd,
// autocast, profilers and dispatch modes see it as they do any other call. They return None, and
// the caller goes through torch.ops, where something else would see the call: see is_plain().

namespace fastgan {
namespace {

bool has_kernels(const at::Tensor& tensor) {
#ifdef FASTGAN_WITH_CUDA
  return tensor.is_cpu() || tensor.is_cuda();
#else
  return tensor.is_cpu();
#endif
}

bool is_kernel_type(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kHalf || type == at::kBFloat16;
}

// Whether the kernels take this argument, and nothing above the dispatcher wants to see the call: a
// subclass of Tensor, a mode of torch functions, torch.jit.trace, or a transform of torch.func, for
// which the functions are composed of torch's.
bool is_plain(PyObject* argument) {
  if (!THPVariable_CheckExact(argument)) return false;
  const at::Tensor& tensor = THPVariable_Unpack(argument);
  return has_kernels(tensor) && is_kernel_type(tensor.scalar_type()) &&
         tensor.layout() == at::kStrided && !tensor.is_nested() &&
         !at::impl::torch_function_mode_enabled() && !torch::jit::tracer::isTracing() &&
         !c10::impl::tls_is_dispatch_key_included(c10::DispatchKey::FuncTorchDynamicLayerFrontMode);
}

std::optional<double> number(PyObject* argument) {
  if (PyFloat_Check(argument)) return PyFloat_AS_DOUBLE(argument);
  if (!PyLong_CheckExact(argument)) return std::nullopt;
  const double value = PyLong_AsDouble(argument);
  if (value != -1.0 || PyErr_Occurred() == nullptr) return value;
  PyErr_Clear();  // too large
  return std::nullopt;
}

std::optional<bool> flag(PyObject* argument) {
  if (!PyBool_Check(argument)) return std::nullopt;
  return argument == Py_True;
}

// (input, negative_slope, p, feature, inplace) -> Tensor | None
PyObject* bias_act_dropout(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  HANDLE_TH_ERRORS
  TORCH_CHECK_TYPE(count == 5, "fastgan::bias_act_dropout: expected 5 arguments, got ", count);
  const auto slope = number(arguments[1]);
  const auto p = number(arguments[2]);
  const auto feature = flag(arguments[3]);
  const auto inplace = flag(arguments[4]);
  if (!slope || !p || !feature || !inplace || !is_plain(arguments[0])) Py_RETURN_NONE;
  const bool computes = *slope != 1.0 || *p > 0.0;
  if (!computes || !(*p >= 0.0 && *p <= 1.0)) Py_RETURN_NONE;
  at::Tensor input = THPVariable_Unpack(arguments[0]);
  const OptionalTensor bias;
  const std::optional<c10::SymInt> seed;
  const c10::SymInt offset = 0;
  const std::optional<at::Generator> generator;
  const BiasActDropoutSettings settings{bias,
                                        /*channel_dim=*/1,
                                        *slope,
                                        /*gain=*/1.0,
                                        {},
                                        *p,
                                        *feature,
                                        seed,
                                        offset,
                                        generator,
                                        /*needs_state=*/false};
  at::Tensor output = [&] {
    const pybind11::gil_scoped_release no_gil;
    if (!*inplace) return std::get<0>(ops::bias_act_dropout::call(input, settings));
    ops::bias_act_dropout_::call(input, settings);
    return at::Tensor();
  }();
  if (*inplace) return Py_NewRef(arguments[0]);
  return THPVariable_Wrap(std::move(output));
  END_HANDLE_TH_ERRORS
}

}  // namespace

PyMethodDef kEagerMethods[] = {
    {"bias_act_dropout",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(bias_act_dropout)), METH_FASTCALL,
     "Runs bias_act_dropout at once; None where torch.ops has to."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace fastgan
