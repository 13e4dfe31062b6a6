"""Which sources are compiled, with which flags, for the CPU or for CUDA. The rest is in pyproject.toml.

Environment variables of the build:
  FASTGAN_CUDA=0|1      CUDA kernels or not; default: whether the torch found is a CUDA build
  TORCH_CUDA_ARCH_LIST  GPU architectures, such as "8.0;9.0+PTX"; default: ARCHITECTURES below
  CUDA_HOME             the CUDA toolkit; default: see build_support/build_toolkit.py
  FASTGAN_CUDA_PACKAGES 1: the compiler packages of the package index, whatever else there is
  MAX_JOBS              compilers run at once; default: ninja's
  DEBUG=1               no optimisation, debug symbols, assertions
  FASTGAN_TORCH_ROOT    the folder that holds the torch to build against; default: see build_support/build_backend.py
"""

import os
import re
import sys
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "build_support"))  # for `python setup.py`; pip has put it there already

from build_backend import load_torch  # noqa: E402
from build_runtime import check_runtime, shared_runtime  # noqa: E402
from build_toolkit import find_toolkit, link_folders, output  # noqa: E402

ARCHITECTURES = ["7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "12.0"]  # those that nvcc knows, and PTX of the newest


def toolkit_of_build(torch):
    """The CUDA toolkit to compile with, or None: no CUDA. Sets the variables that torch's build tools read."""
    asked = os.environ.get("FASTGAN_CUDA") or ("1" if torch.version.cuda else "0")
    if asked not in ("0", "1"):
        raise SystemExit(f"fastgan: FASTGAN_CUDA: expected 0 or 1, got {asked!r}")
    if asked == "0":
        return None
    if torch.version.cuda is None:
        raise SystemExit(f"fastgan: FASTGAN_CUDA=1: expected a CUDA build of torch, got torch {torch.__version__}")
    try:
        toolkit = find_toolkit(torch.__version__, torch.version.cuda, Path(torch.__file__).parents[1])
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
    print(f"fastgan: compiling with CUDA {toolkit.version} of {toolkit.home} (found: {toolkit.where})", flush=True)
    known = output(toolkit.home / "bin/nvcc", "--list-gpu-arch").split()
    default = ";".join(arch for arch in ARCHITECTURES if f"compute_{arch.replace('.', '')}" in known) + "+PTX"
    os.environ["CUDA_HOME"] = str(toolkit.home)
    os.environ["TORCH_CUDA_ARCH_LIST"] = os.environ.get("TORCH_CUDA_ARCH_LIST") or default
    return toolkit


def compiled(torch):
    """Return setup()'s arguments that depend on the torch found."""
    cuda = toolkit_of_build(torch)
    from torch.utils import cpp_extension as cpp  # only now, as it reads CUDA_HOME when it is imported

    compiler = cpp.get_cxx_compiler().split()
    clang = "clang" in output(*compiler, "--version")
    debug = os.environ.get("DEBUG", "0") not in ("", "0")
    cxx = ["-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"]
    cxx += ["-O0", "-g", "-UNDEBUG"] if debug else ["-O3", "-g0"]
    if not clang:
        cxx.append("-Wno-maybe-uninitialized")  # gcc 12's own AVX-512 header gives thousands (gcc bug 105593)
    openmp = sys.platform == "linux" and "OpenMP" in torch.__config__.parallel_info()
    cxx += ["-fopenmp"] if openmp else []  # at::parallel_for is inlined, and without this runs on one thread
    link = ["-fopenmp"] if openmp and clang else []  # the OpenMP that torch has loaded answers gcc's calls only
    link += shared_runtime(compiler)

    class Build(cpp.BuildExtension):
        def run(self):
            super().run()
            check_runtime(Path(self.get_ext_fullpath("fastgan._C")))
            arch_list = re.split("[ ;]", os.environ["TORCH_CUDA_ARCH_LIST"]) if cuda else []
            Path(self.get_ext_fullpath("fastgan._C")).with_name("_built_for.py").write_text(
                '"""Written by the build: what the library was compiled for. Read before it is loaded."""\n\n'
                f"VERSION = {self.distribution.get_version()!r}\n"
                f"TORCH = {str(torch.__version__)!r}\nTORCH_CUDA = {torch.version.cuda!r}\nARCH_LIST = {arch_list!r}\n"
            )

    sources = [*ROOT.glob("csrc/**/*.cpp"), *(ROOT.glob("csrc/**/*.cu") if cuda else [])]
    library = (cpp.CUDAExtension if cuda else cpp.CppExtension)(
        "fastgan._C",
        sorted(str(source.relative_to(ROOT)) for source in sources),
        include_dirs=[str(ROOT / "csrc")],
        library_dirs=link_folders(cuda.home, ROOT / "build/cudart") if cuda else [],
        define_macros=[("FASTGAN_WITH_CUDA", None)] if cuda else [],
        extra_compile_args={"cxx": cxx, "nvcc": ["-G" if debug else "-O3", "--expt-relaxed-constexpr"]},
        extra_link_args=link,
    )
    requires = ["torch=={}.{}.*".format(*torch.__version__.split(".")), "numpy"]
    return {"ext_modules": [library], "cmdclass": {"build_ext": Build}, "install_requires": requires}


# A source distribution is bound to no torch, and packing one needs none.
setup(**({"install_requires": ["torch", "numpy"]} if "sdist" in sys.argv else compiled(load_torch())))
