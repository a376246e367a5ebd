"""Update: an update rule, as Python hands it to the engine."""
from cymlp._engine.kernels.optimizers cimport Rule


cdef class Update:
    cdef Rule rule
