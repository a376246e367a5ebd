"""Sizes and offsets of a network, for the engine."""
from cymlp._engine.kernels.elements cimport Activation, Output


cdef struct Net:
    Py_ssize_t n_layers       # layers of weights: hidden ones and the output
    Py_ssize_t n_weights      # elements of all W, at the head of the parameters
    Py_ssize_t n_parameters   # n_weights + elements of all b
    Py_ssize_t *units         # (n_layers + 1,) inputs, hidden sizes, outputs
    Py_ssize_t *W             # (n_layers,) where W_l begins in the parameters
    Py_ssize_t *b             # (n_layers,) where b_l begins in the parameters
    Py_ssize_t *A             # (n_layers + 1,) sum of units[1:l]; A_1 comes first
    Py_ssize_t n_units        # sum of units[1:]
    Py_ssize_t widest         # the largest of units[1:]
    Activation activation
    Output output


cdef class Layout:
    cdef Net net
