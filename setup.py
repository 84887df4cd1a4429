"""Builds the one core for several instruction sets; everything else is in pyproject.toml.

python setup.py build_ext --inplace --annotate    HTML beside the C: which lines call Python
python setup.py build_ext --inplace --debug       bounds checked, -O0, symbols
"""

import platform
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

BUILDS = {  # the one table: suffix of imfilt._core -> flags
    "x86_64": {
        "": ["-march=x86-64"],
        "_v3": ["-march=x86-64-v3"],
        "_v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    },
    "aarch64": {"": []},
}
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())

# Contraction off: the same bits from every build. No errno and no traps let the compiler
# vectorise roots and clipping; neither changes a result, and nothing here links
# crtfastmath, which would switch off denormals for the whole process.
# Scratch memory holds bytes, numbers and pointers, whatever a loop needs: no strict aliasing.
# What Cython calls inline is written to be: constants that it is called with choose its loops. Nothing else is inlined.
INLINE = ("CYTHON_INLINE", "inline __attribute__((always_inline))")
GENERATED = "build/cython"
FLAGS = ["-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
         "-fno-inline-functions", "-fno-inline-small-functions", "-fno-inline-functions-called-once",
         "-fno-ipa-cp-clone", "-fno-unswitch-loops", "-fno-strict-aliasing",
         "-fvisibility=hidden", "-fno-asynchronous-unwind-tables", "-falign-jumps=1", "-falign-labels=1", "-Wno-psabi",
         "-DNPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION"]  # fmt: skip
# No symbols that nobody asks for, and code beside data; nor is room left before labels: see scripts/check_budget.py.
SMALL = ["-Wl,-s", "-Wl,-z,noseparate-code"] if sys.platform == "linux" else []
# Functions without names for their arguments, of the plain kind, take a sixth of the code less.
DIRECTIVES = {"language_level": "3", "boundscheck": False, "wraparound": False, "cdivision": True,
              "initializedcheck": False, "binding": False, "auto_pickle": False}  # fmt: skip

NO_COMPILER = """
imfilt is built from source and needs a C compiler: GCC 12 or newer, or Clang 15 or newer.

  Debian, Ubuntu:  apt-get install gcc python3-dev
  Fedora:          dnf install gcc python3-devel
  macOS:           xcode-select --install

The compiler said: {}
"""


class BuildExt(build_ext):
    user_options = [*build_ext.user_options, ("annotate", None, "write Cython's HTML beside the C")]
    boolean_options = [*build_ext.boolean_options, "annotate"]

    def initialize_options(self):
        super().initialize_options()
        self.annotate = False

    def run(self):
        from Cython.Build import cythonize

        directives = dict(DIRECTIVES, boundscheck=True, initializedcheck=True) if self.debug else DIRECTIVES
        # Once per source; the C of the core is then compiled once per instruction set.
        sources = [Extension(f"imfilt.{name}", [f"imfilt/{name}.pyx"]) for name in ("_core", "_cpu", "_calls")]
        cythonize(sources, compiler_directives=directives, annotate=self.annotate, build_dir=GENERATED)
        super().run()

    def build_extension(self, ext):
        ext.extra_compile_args += ["-O0", "-g"] if self.debug else ["-g0"]
        # Objects are named after their source, which the builds of the core share.
        temp, self.build_temp = self.build_temp, str(Path(self.build_temp, ext.name))
        try:
            super().build_extension(ext)
        except CompileError as error:
            sys.exit(NO_COMPILER.format(error))
        finally:
            self.build_temp = temp


def extension(name, source, flags):
    import numpy

    init = f"PyInit_{source}=PyInit_{name}"
    return Extension(
        f"imfilt.{name}",
        [f"{GENERATED}/imfilt/{source}.c"],
        include_dirs=[numpy.get_include(), "imfilt"],
        define_macros=[INLINE] + ([] if name == source else [tuple(init.split("="))]),
        extra_compile_args=[*FLAGS, *flags],
        extra_link_args=SMALL,
        depends=[
            "imfilt/_simd.h",
            "imfilt/_rows.pxd",
            "imfilt/_pixels.pxd",
            "imfilt/_sweep.pxd",
            "imfilt/_straight.pxd",
        ],
    )


def extensions():
    if sys.platform != "win32" and not any(map(shutil.which, ("cc", "gcc", "clang"))):
        import os

        if not os.environ.get("CC"):
            sys.exit(NO_COMPILER.format("neither cc, gcc nor clang was found"))
    table = BUILDS.get(MACHINE, {"": []})
    baseline = table[""]
    return [extension(name, name, [*baseline, "-Os"]) for name in ("_cpu", "_calls")] + [
        extension(f"_core{suffix}", "_core", flags) for suffix, flags in table.items()
    ]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt})
