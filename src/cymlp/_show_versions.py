"""show_versions: the information that a bug report needs."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from cymlp import _engine
from cymlp._engine.threads import blas_info
from cymlp._version import __version__

_PACKAGES = ("numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl", "Cython", "pip")


def _installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def show_versions() -> None:
    """Print versions, the engine's build, BLAS and its threads, for a bug report.

    Examples
    --------
    >>> import cymlp
    >>> cymlp.show_versions()  # doctest: +ELLIPSIS
    System
        python: ...
    """
    print("System")
    print(f"    python: {sys.version}")
    print(f"    executable: {sys.executable}")
    print(f"    platform: {platform.platform()}")
    print(f"    machine: {platform.machine()}")
    print("\ncymlp")
    print(f"    version: {__version__}")
    print(f"    engine built for: {_engine.BUILD}")
    print("\nDependencies")
    for package in _PACKAGES:
        print(f"    {package}: {_installed_version(package)}")
    print("\nBLAS of the engine (SciPy's)")
    for info in blas_info():
        for key in ("internal_api", "version", "architecture", "num_threads", "filepath"):
            print(f"    {key}: {info.get(key, 'unknown')}")
