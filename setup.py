"""Extension modules, compiler flags and Cython directives; all else is in pyproject.toml."""

import copy
import os
import platform
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, ExecError, PlatformError

NO_COMPILER = (
    "\ncymlp is built from source with a C compiler, and none works here ({reason}).\n"
    "Install one (gcc or clang; on Windows the Visual C++ build tools), or run `python -m build`\n"
    "on a machine that has one, and install the wheel:\n"
    "    pip install cymlp-*.whl\n"
)

# Never -ffast-math: it lets the compiler assume that NaN and infinity do not exist, and some
# compilers then flush subnormal numbers to zero for the whole process.
FLAGS = (
    ["/O2", "/fp:precise"]
    if sys.platform == "win32"
    else ["-O3", "-fno-fast-math", "-fno-math-errno", "-fno-trapping-math"]
)
# A short loop that crosses a line of the instruction cache can cost a third more; without
# this, which loops do so is changed by any line added before them.
if sys.platform != "win32":
    FLAGS += ["-falign-functions=64", "-falign-loops=32"]
# Python's own flags have -g, which makes modules ten times as large; CFLAGS may ask for it.
if sys.platform != "win32" and " -g" not in f" {os.environ.get('CFLAGS', '')}":
    FLAGS.append("-g0")

# Cython's checks of memoryviews' indices, for hunting a bug; see CONTRIBUTING.md.
CHECKED = os.environ.get("CYMLP_CHECKED_BUILD", "0") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": CHECKED,
    "initializedcheck": CHECKED,
    "wraparound": False,
    "cdivision": True,
}

# Modules that exist once, and those that exist once for each instruction set: the loops and
# what inlines them. Those of other sets than the compiler's own have a suffix.
PLAIN_MODULES = ["architecture", "cpu", "dataset", "team", "update_rule"]
KERNEL_MODULES = ["engine", "testing"]
# For tests and benchmarks only; not part of wheels.
IN_SOURCE_TREE_ONLY = "cymlp._engine.testing"
# What cpu.pyx asks the CPU for, no more; the names of the sets are too new for some compilers.
V3 = ["-mavx2", "-mfma", "-mbmi", "-mbmi2"]
WIDE = ["-mprefer-vector-width=512"]
INSTRUCTION_SETS = {
    "_v3": V3,
    "_v4": [*V3, *(f"-mavx512{part}" for part in ("f", "bw", "cd", "dq", "vl")), *WIDE],
}


def cythonized(modules, build_dir, **options):
    """The modules with C files in build_dir as their sources.

    A C file that comes out as it was keeps its time, and so is not compiled again. pip's build
    environment is new each time, and SciPy's declarations in it later than any C file. Cython's
    cache goes by the files' contents.
    """
    before = {path: (path.read_bytes(), path.stat()) for path in Path(build_dir).rglob("*.c")}
    cache = f"{build_dir}-cache"
    modules = cythonize(modules, build_dir=build_dir, cache=cache, **options)
    for path, (content, status) in before.items():
        if path.read_bytes() == content:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return modules


def extensions():
    """All extension modules."""
    kernels = {
        "include_dirs": ["src/cymlp/_engine/kernels"],
        "depends": [
            f"src/cymlp/_engine/kernels/{name}.h" for name in ("reductions", "tile", "vectors")
        ],
    }
    modules = cythonized(
        [
            Extension(
                f"cymlp._engine.{name}",
                [f"src/cymlp/_engine/{name}.pyx"],
                extra_compile_args=FLAGS,
                **kernels,
            )
            for name in PLAIN_MODULES + KERNEL_MODULES
        ],
        build_dir="build/cython-checked" if CHECKED else "build/cython",
        compiler_directives=DIRECTIVES,
        include_path=["src"],
    )
    if platform.machine() not in ("x86_64", "AMD64") or sys.platform == "win32":
        return modules
    sources = {module.name: module.sources for module in modules}
    return modules + [
        Extension(
            f"cymlp._engine.{name}{suffix}",
            sources[f"cymlp._engine.{name}"],
            extra_compile_args=FLAGS + flags,
            # The same C file serves for all sets, but for the name of its entry.
            define_macros=[(f"PyInit_{name}", f"PyInit_{name}{suffix}")],
            optional=True,  # a compiler may not know the set
            **kernels,
        )
        for suffix, flags in INSTRUCTION_SETS.items()
        for name in KERNEL_MODULES
    ]


class BuildExtensions(build_ext):
    """build_ext by all CPUs, that says in one sentence that there is no C compiler."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()
        if not (self.inplace or self.editable_mode):
            self.extensions = [
                module
                for module in self.extensions
                if not module.name.startswith(IN_SOURCE_TREE_ONLY)
            ]

    def run(self):
        try:
            super().run()
        except PlatformError as error:
            raise SystemExit(NO_COMPILER.format(reason=error)) from None

    def build_extensions(self):
        self._try_compiler()
        super().build_extensions()

    def build_extension(self, ext):
        # Object files of one source for several sets must not overwrite one another, nor must
        # builds that run at the same time see each other's folder.
        command = copy.copy(self)
        command.build_temp = os.path.join(self.build_temp, ext.name)
        super(BuildExtensions, command).build_extension(ext)

    def _try_compiler(self):
        with tempfile.TemporaryDirectory() as folder:
            probe = os.path.join(folder, "probe.c")
            with open(probe, "w") as file:
                file.write("int main(void) { return 0; }\n")
            try:
                self.compiler.compile([probe], output_dir=folder)
            except (CCompilerError, ExecError, PlatformError) as error:
                raise SystemExit(NO_COMPILER.format(reason=error)) from None


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExtensions})
