"""Sizes and offsets of a network, for the engine."""
from cymlp._engine.kernels cimport Activation, Output


cdef class Layout:
    cdef readonly Py_ssize_t n_layers       # layers of weights: hidden ones and the output
    cdef readonly Py_ssize_t n_weights      # elements of all W, at the head of the parameters
    cdef readonly Py_ssize_t n_parameters   # n_weights + elements of all b
    cdef Py_ssize_t *units                  # (n_layers + 1,) inputs, hidden sizes, outputs
    cdef Py_ssize_t *W                      # (n_layers,) where W_l begins in the parameters
    cdef Py_ssize_t *b                      # (n_layers,) where b_l begins in the parameters
    cdef Py_ssize_t *A                      # (n_layers + 1,) sum of units[1:l]; A_1 comes first
    cdef Py_ssize_t n_units                 # sum of units[1:]
    cdef Py_ssize_t widest                  # the largest of units[1:]
    cdef Activation activation
    cdef Output output
