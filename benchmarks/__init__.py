"""Benchmarks of cymlp: ``python -m benchmarks`` lists them."""

import os

# On machines that set these, they can halve the speed of a current OpenBLAS. OpenBLAS reads them
# when NumPy is imported, which every process of the benchmarks does after importing this package.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
