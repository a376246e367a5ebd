"""Extension modules, compiler flags and Cython directives; all else is in pyproject.toml."""

import os
import sys
import tempfile

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, ExecError, PlatformError

NO_COMPILER = (
    "\ncymlp is built from source with a C compiler, and none works here ({reason}).\n"
    "Install one (gcc or clang; on Windows the Visual C++ build tools), or install a wheel:\n"
    "    pip install --only-binary cymlp cymlp\n"
)

# Never -ffast-math: it lets the compiler assume that NaN and infinity do not exist, and some
# compilers then flush subnormal numbers to zero for the whole process.
FLAGS = (
    ["/O2"] if sys.platform == "win32" else ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"]
)

# Cython's checks of memoryviews' indices, for hunting a bug; see CONTRIBUTING.md.
CHECKED = os.environ.get("CYMLP_CHECKED_BUILD", "0") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": CHECKED,
    "initializedcheck": CHECKED,
    "wraparound": False,
    "cdivision": True,
    "freethreading_compatible": True,
}

MODULES = ["engine", "layout", "probe", "samples", "updates"]


class BuildExtensions(build_ext):
    """build_ext that says in one sentence that there is no C compiler."""

    def run(self):
        try:
            super().run()
        except PlatformError as error:
            raise SystemExit(NO_COMPILER.format(reason=error)) from None

    def build_extensions(self):
        self._try_compiler()
        super().build_extensions()

    def _try_compiler(self):
        with tempfile.TemporaryDirectory() as folder:
            probe = os.path.join(folder, "probe.c")
            with open(probe, "w") as file:
                file.write("int main(void) { return 0; }\n")
            try:
                self.compiler.compile([probe], output_dir=folder)
            except (CCompilerError, ExecError, PlatformError) as error:
                raise SystemExit(NO_COMPILER.format(reason=error)) from None


setup(
    ext_modules=cythonize(
        [
            Extension(
                f"cymlp._engine.{name}",
                [f"src/cymlp/_engine/{name}.pyx"],
                extra_compile_args=FLAGS,
            )
            for name in MODULES
        ],
        build_dir="build/cython-checked" if CHECKED else "build/cython",
        compiler_directives=DIRECTIVES,
        include_path=["src"],
    ),
    cmdclass={"build_ext": BuildExtensions},
)
