"""Which BLAS a process has loaded, and the CPU that its kernels are for."""

from pathlib import Path

from threadpoolctl import threadpool_info


def loaded_blas(owner: str | None = None) -> str:
    """Describe a package's own BLAS or, if it has none, every BLAS in this process."""
    pools = [
        (_owner(pool["filepath"]), pool) for pool in threadpool_info() if pool["user_api"] == "blas"
    ]
    own = [(found, pool) for found, pool in pools if found == owner] or pools
    described = [
        f"{found}'s {pool['internal_api']} {pool['version']} (kernels for "
        f"{pool.get('architecture', 'a CPU not told')}, threads: {pool['num_threads']})"
        for found, pool in own
    ]
    return "; ".join(described) or "a BLAS that threadpoolctl does not know"


def _owner(file: str) -> str:
    """The package that ships a library, in its own folder or in one next to it."""
    folders = "/".join(Path(file).parts[-3:-1])
    return next((package for package in ("numpy", "scipy") if package in folders), "the system")
