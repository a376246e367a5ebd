"""UpdateRule: an update rule, as Python hands it to the engine."""
from cymlp._engine.kernels.update_rules cimport rule_t


cdef class UpdateRule:
    cdef rule_t fields
