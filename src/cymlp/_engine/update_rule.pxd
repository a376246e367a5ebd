"""UpdateRule: an update rule, as Python hands it to the engine."""
from cymlp._engine.kernels.update_rules cimport rule_t


cdef class UpdateRule:
    cdef rule_t fields
    cdef unsigned long long seed   # of dropout
    cdef Py_ssize_t n_l2, n_l1   # layers for which the rule has coefficients of their own; or 0

    cdef bint fits(self, Py_ssize_t n_layers)
    cdef void _forget_layers(self)
