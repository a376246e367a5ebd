"""Sizes, offsets, functions and penalties of a network, for the engine."""
from cymlp._engine.kernels.activations cimport Activation, needs_derivative
from cymlp._engine.kernels.losses cimport Loss, OutputActivation

cdef enum BlockKind:
    WEIGHTS, INTERCEPTS


cdef struct ParameterBlock:
    # A matrix of parameters, row-major; the threads of a team share out its rows.
    BlockKind kind
    Py_ssize_t layer
    Py_ssize_t offset         # where it begins in the vector of parameters
    Py_ssize_t rows, columns  # (d, h) of weights, (h, 1) of intercepts
    bint decays               # whether penalties and weight decay apply to it
    double l2_share           # its L2 coefficient is alpha times this
    double l1                 # its L1 coefficient


cdef struct architecture_t:
    Py_ssize_t n_layers       # layers of weights: hidden ones and the output
    Py_ssize_t n_weights      # elements of all W, at the head of the parameters
    Py_ssize_t n_parameters   # n_weights + elements of all b
    Py_ssize_t *units         # (n_layers + 1,) inputs, hidden sizes, outputs
    Py_ssize_t *W             # (n_layers,) where W_l begins in the parameters
    Py_ssize_t *b             # (n_layers,) where b_l begins in the parameters
    Py_ssize_t *A             # (n_layers + 1,) sum of units[1:l]; A_1 comes first
    Py_ssize_t n_units        # sum of units[1:]
    Py_ssize_t widest         # the largest of units[1:]
    Activation *activation    # (n_layers - 1,) of each hidden layer
    double *dropout           # (n_layers - 1,) rates of dropout while training
    bint keeps_derivatives    # whether training needs f'(Z) beside f(Z), of any hidden layer
    OutputActivation output_activation
    Loss loss
    double loss_parameter     # the quantile, or the limit of Huber's loss
    double label_smoothing
    Py_ssize_t n_blocks
    ParameterBlock *blocks    # (n_blocks,) W_0, b_0, W_1, b_1, ...
    double alpha              # the largest L2 coefficient


cdef inline bint keeps_derivative(
    const architecture_t *architecture, Py_ssize_t layer
) noexcept nogil:
    """Whether training needs this hidden layer's f'(Z) beside f(Z)."""
    return needs_derivative(architecture.activation[layer]) or architecture.dropout[layer] > 0


cdef class Architecture:
    cdef architecture_t fields
    cdef void _allocate(self, Py_ssize_t n_layers) except *
    cdef void _set_sizes(self, units) except *
    cdef void _set_functions(self, activation, dropout) except *
    cdef void _set_blocks(self, l2, l1) except *
