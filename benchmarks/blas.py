"""Which BLAS a process has loaded, and with which CPU's kernels."""

from pathlib import Path

from threadpoolctl import threadpool_info


def loaded_blas(owner: str | None = None) -> str:
    """A package's own BLAS, or where it has none, every BLAS in this process."""
    pools = [
        (_owner(pool["filepath"]), pool) for pool in threadpool_info() if pool["user_api"] == "blas"
    ]
    own = [(found, pool) for found, pool in pools if found == owner] or pools
    told = [
        f"{found}'s {pool['internal_api']} {pool['version']} (kernels for "
        f"{pool.get('architecture', 'a CPU not told')}, threads: {pool['num_threads']})"
        for found, pool in own
    ]
    return "; ".join(told) or "a BLAS that threadpoolctl does not know"


def _owner(file: str) -> str:
    """The package that brought a library along: in its folder, or in one beside it."""
    folders = "/".join(Path(file).parts[-3:-1])
    return next((package for package in ("numpy", "scipy") if package in folders), "the system")
