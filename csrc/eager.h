#pragma once

#include <torch/csrc/python_headers.h>

namespace fastgan {

// The functions of fastgan._C that call an op without torch.ops, for PyModule_AddFunctions().
extern PyMethodDef kEagerMethods[];

}  // namespace fastgan
