"""Benchmarks of cymlp: ``python -m benchmarks`` lists them."""

import os

# Where a machine sets these, they can halve the speed of a current OpenBLAS. It reads them when
# NumPy is imported, which in every process of the benchmarks is after this.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
