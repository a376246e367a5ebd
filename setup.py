"""Extension modules, compiler flags and Cython directives; all else is in pyproject.toml."""

import copy
import gzip
import os
import shutil
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import CCompilerError, ExecError, PlatformError

NO_COMPILER = (
    "\ncymlp is built from source with a C compiler, and none works here ({reason}).\n"
    "Install one (gcc or clang; on Windows the Visual C++ build tools), or run `python -m build`\n"
    "on a machine that has one, and install the wheel:\n"
    "    pip install cymlp-*.whl\n"
)

# On Windows, CC=clang-cl has Clang compile in place of Microsoft's compiler, whose builds have
# no vectors; setuptools does not read CC there.
WINDOWS = sys.platform == "win32"
CLANG_CL = WINDOWS and "clang-cl" in os.environ.get("CC", "")

# Never -ffast-math: it lets the compiler assume that NaN and infinity do not exist, and some
# compilers then flush subnormal numbers to zero for the whole process.
FLAGS = ["-O3", "-fno-fast-math", "-fno-math-errno", "-fno-trapping-math"]
# A short loop that crosses a line of the instruction cache can cost a third more; without
# this, which loops do so is changed by any line added before them.
FLAGS += ["-falign-functions=64", "-falign-loops=32"]
# Python's own flags have -g, which makes modules ten times as large; CFLAGS may ask for it.
if " -g" not in f" {os.environ.get('CFLAGS', '')}":
    FLAGS.append("-g0")
# GCC would load all that a tile needs of A at once, and have no registers left for its sums.
if sysconfig.get_platform() == "linux-aarch64":
    FLAGS.append("-fno-schedule-insns")
if WINDOWS and not CLANG_CL:
    FLAGS = ["/O2", "/fp:precise"]
# Else the linker writes the time of the build.
LINK_FLAGS = ["/Brepro"] if WINDOWS else []

# Cython's checks of memoryviews' indices, for hunting a bug; see CONTRIBUTING.md.
CHECKED = os.environ.get("CYMLP_CHECKED_BUILD", "0") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": CHECKED,
    "initializedcheck": CHECKED,
    "wraparound": False,
    "cdivision": True,
    # What threads share are Python's own objects and a team's counters, which are atomic.
    "freethreading_compatible": True,
}

# By the limited API, one build serves CPython 3.11 and all later versions. Free-threaded ones
# have none that Cython can write yet.
LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")
ABI = {
    "py_limited_api": LIMITED_API,
    "define_macros": [("Py_LIMITED_API", "0x030B0000")] if LIMITED_API else [],
}
WHEEL_OPTIONS = {"py_limited_api": "cp311"} if LIMITED_API else {}

# Modules that exist once, and those that exist once for each instruction set: the loops and
# what inlines them. Those of other sets than the compiler's own have a suffix.
PLAIN_MODULES = ["architecture", "cpu", "dataset", "sparse_space", "team", "update_rule"]
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


def for_compiler(flags):
    """The flags as the compiler takes them."""
    return [f"/clang:{flag}" for flag in flags] if CLANG_CL else flags


def extensions():
    """All extension modules."""
    kernels = {
        "include_dirs": ["src/cymlp/_engine/kernels"],
        "depends": [
            f"src/cymlp/_engine/kernels/{name}.h"
            for name in ("reductions", "tile", "vectors", "weighted_rows")
        ],
    }
    modules = cythonized(
        [
            Extension(
                f"cymlp._engine.{name}",
                [f"src/cymlp/_engine/{name}.pyx"],
                extra_compile_args=for_compiler(FLAGS),
                extra_link_args=LINK_FLAGS,
                **ABI,
                **kernels,
            )
            for name in PLAIN_MODULES + KERNEL_MODULES
        ],
        build_dir="build/cython-checked" if CHECKED else "build/cython",
        compiler_directives=DIRECTIVES,
        include_path=["src"],
    )
    # The platform that is compiled for may not be this one.
    if not sysconfig.get_platform().endswith(("x86_64", "amd64")) or (WINDOWS and not CLANG_CL):
        return modules
    sources = {module.name: module.sources for module in modules}
    return modules + [
        Extension(
            f"cymlp._engine.{name}{suffix}",
            sources[f"cymlp._engine.{name}"],
            extra_compile_args=for_compiler(FLAGS + flags),
            extra_link_args=LINK_FLAGS,
            # The same C file serves for all sets, but for the name of its entry.
            py_limited_api=LIMITED_API,
            define_macros=[
                *ABI["define_macros"],
                (f"PyInit_{name}", f"PyInit_{name}{suffix}"),
            ],
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
        if not (self.inplace or self.editable_mode):
            # What an earlier build in place has left there would become part of the wheel.
            *package, name = IN_SOURCE_TREE_ONLY.split(".")
            for path in Path(self.build_lib, *package).glob(f"{name}*"):
                if path.suffix in (".so", ".pyd"):
                    path.unlink()

    def build_extensions(self):
        if CLANG_CL and self.compiler.compiler_type == "msvc":
            self._take_clang_cl()
        self._try_compiler()
        super().build_extensions()

    def build_extension(self, ext):
        # Object files of one source for several sets must not overwrite one another, nor must
        # builds that run at the same time see each other's folder.
        command = copy.copy(self)
        command.build_temp = os.path.join(self.build_temp, ext.name)
        super(BuildExtensions, command).build_extension(ext)

    def _take_clang_cl(self):
        """Compile by the clang-cl that CC names; its options are those of Microsoft's."""
        if not self.compiler.initialized:
            self.compiler.initialize(self.plat_name)
        self.compiler.cc = shutil.which(os.environ["CC"])
        if self.compiler.cc is None:
            raise SystemExit(NO_COMPILER.format(reason=f"there is no {os.environ['CC']}"))

    def _try_compiler(self):
        with tempfile.TemporaryDirectory() as folder:
            probe = os.path.join(folder, "probe.c")
            with open(probe, "w") as file:
                file.write("int main(void) { return 0; }\n")
            try:
                self.compiler.compile([probe], output_dir=folder)
            except (CCompilerError, ExecError, PlatformError) as error:
                raise SystemExit(NO_COMPILER.format(reason=error)) from None


class SourceDistribution(sdist):
    """sdist; the same bytes for the same files if SOURCE_DATE_EPOCH is set, as a wheel is."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)

        def of_nobody(member):
            member.mtime = int(epoch)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            return member

        path = f"{base_name}.tar.gz"
        self.mkpath(os.path.dirname(path))
        with (
            open(path, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=int(epoch)) as compressed,
            tarfile.open(fileobj=compressed, mode="w") as archive,
        ):
            archive.add(base_dir, filter=of_nobody)
        return path


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildExtensions, "sdist": SourceDistribution},
    options={"bdist_wheel": WHEEL_OPTIONS},
)
