// The Python module fastgan._C. Importing it loads the library, whose other files register the ops.
// The module itself tells what the library was compiled with and what it runs on, and has the short
// way to an op (eager.h).

#include <pybind11/pybind11.h>

#include <string>

#ifdef FASTGAN_WITH_CUDA
#include <cuda_runtime_api.h>
#endif

#include "eager.h"
#include "kernels/cpu/capability.h"

namespace py = pybind11;

namespace {

std::string version(int major, int minor, int patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::string compiler() {
#if defined(__clang__)
  return "clang " + version(__clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return "gcc " + version(__GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

py::dict build_info() {
  py::dict info;
#ifdef FASTGAN_WITH_CUDA
  info["cuda"] =
      std::to_string(CUDART_VERSION / 1000) + "." + std::to_string(CUDART_VERSION % 1000 / 10);
#else
  info["cuda"] = py::none();
#endif
  info["compiler"] = compiler();
  return info;
}

}  // namespace

// The functions touch no shared state, so free-threaded Python does not need to enable the GIL.
PYBIND11_MODULE(_C, m, py::mod_gil_not_used()) {
  m.def("build_info", &build_info,
        "The CUDA toolkit (None without CUDA kernels) and the compiler of this build.");
  m.def("cpu_capability", &fastgan::cpu_capability,
        "The instruction set that the CPU kernels run.");
  if (PyModule_AddFunctions(m.ptr(), fastgan::kEagerMethods) != 0) throw py::error_already_set();
}
