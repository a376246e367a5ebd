"""Update: an update rule, as Python hands it to the engine."""
from cymlp._engine.kernels.optimizers cimport Rule


cdef class Update:
    cdef Rule rule
    cdef object l2_shares, l1   # the memory that the rule points to

    cdef bint fits(self, Py_ssize_t n_layers)
