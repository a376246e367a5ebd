"""Architecture: where each layer's weights, intercepts and outputs begin, and its functions."""
from cymlp._engine.kernels.activations cimport (
    ELU, GELU, IDENTITY, LEAKY_RELU, LOGISTIC, MISH, RELU, SELU, SILU, SOFTPLUS, TANH
)
from cymlp._engine.kernels.losses cimport (
    EXP_POISSON, IDENTITY_ABSOLUTE_ERROR, IDENTITY_HUBER, IDENTITY_QUANTILE,
    IDENTITY_SQUARED_ERROR, LOGISTIC_LOG_LOSS, SOFTMAX_LOG_LOSS
)
from libc.stdlib cimport calloc, free

cdef int MOST_UNITS = 2_147_483_647   # as far as BLAS counts

cdef dict ACTIVATIONS = {
    "identity": IDENTITY, "logistic": LOGISTIC, "tanh": TANH, "relu": RELU,
    "leaky_relu": LEAKY_RELU, "elu": ELU, "selu": SELU, "gelu": GELU, "silu": SILU,
    "mish": MISH, "softplus": SOFTPLUS,
}
cdef dict OUTPUTS = {
    "identity": IDENTITY_SQUARED_ERROR, "exp": EXP_POISSON,
    "logistic": LOGISTIC_LOG_LOSS, "softmax": SOFTMAX_LOG_LOSS,
    "absolute_error": IDENTITY_ABSOLUTE_ERROR, "huber": IDENTITY_HUBER,
    "quantile": IDENTITY_QUANTILE,
}


cdef class Architecture:
    """Sizes, offsets and functions of a network, for the engine.

    Parameters
    ----------
    units : tuple of int
        Inputs, units of each hidden layer, outputs; each fits BLAS's 32-bit sizes.
    activation : str or sequence of str
        Of all hidden layers, or of each.
    output : {"identity", "exp", "logistic", "softmax", "absolute_error", "huber", "quantile"}
        Activation of the output layer, which determines the loss too; or one of the other
        losses of the identity.
    loss_parameter : float
        The quantile, or the limit up to which Huber's loss is quadratic.
    label_smoothing : float
        Targets t of k classes are taken for (1 - label_smoothing) t + label_smoothing / k.
    dropout : sequence of float
        Rates of each hidden layer, while training; empty for none.
    """

    def __cinit__(
        self, units, activation, output, *, loss_parameter=0.0, label_smoothing=0.0, dropout=()
    ):
        cdef architecture_t *fields = &self.fields
        if isinstance(activation, str):
            activation = [activation] * (len(units) - 2)
        dropout = dropout or [0.0] * (len(units) - 2)
        fields.output = OUTPUTS[output]
        fields.loss_parameter = loss_parameter
        fields.label_smoothing = label_smoothing
        if len(units) < 2 or not all(1 <= size <= MOST_UNITS for size in units):
            raise ValueError(
                f"Layers must have from 1 to {MOST_UNITS} units, and there must be two or more "
                f"of them, got {tuple(units)}."
            )
        fields.n_layers = len(units) - 1
        fields.n_blocks = 2 * fields.n_layers
        if not len(activation) == len(dropout) == fields.n_layers - 1:
            raise ValueError("There must be an activation and a rate for each hidden layer")
        fields.units = <Py_ssize_t *>calloc(4 * (fields.n_layers + 1), sizeof(Py_ssize_t))
        fields.blocks = <ParameterBlock *>calloc(fields.n_blocks, sizeof(ParameterBlock))
        fields.activation = <Activation *>calloc(fields.n_layers, sizeof(Activation))
        fields.dropout = <double *>calloc(fields.n_layers, sizeof(double))
        if (
            fields.units == NULL or fields.blocks == NULL or fields.activation == NULL
            or fields.dropout == NULL
        ):
            raise MemoryError
        self._set_functions(activation, dropout)
        self._set_sizes(units)
        self._set_blocks()

    cdef int _set_functions(self, activation, dropout) except -1:
        """Fill in the activation of each hidden layer and its rate of dropout."""
        cdef Py_ssize_t layer
        for layer in range(self.fields.n_layers - 1):
            self.fields.activation[layer] = ACTIVATIONS[activation[layer]]
            self.fields.dropout[layer] = dropout[layer]
            self.fields.keeps_derivatives |= keeps_derivative(&self.fields, layer)
        return 0

    cdef int _set_sizes(self, units) except -1:
        """Fill in the layers' units, and where their outputs and their parameters begin."""
        cdef Py_ssize_t layer, end = 0
        cdef architecture_t *fields = &self.fields
        fields.W = fields.units + fields.n_layers + 1
        fields.b = fields.W + fields.n_layers + 1
        fields.A = fields.b + fields.n_layers + 1
        for layer in range(fields.n_layers + 1):
            fields.units[layer] = units[layer]
            if layer > 0:
                fields.A[layer] = fields.n_units
                fields.n_units += fields.units[layer]
                fields.widest = max(fields.widest, fields.units[layer])
        for layer in range(fields.n_layers):
            fields.W[layer] = end
            end += fields.units[layer] * fields.units[layer + 1]
        fields.n_weights = end
        for layer in range(fields.n_layers):
            fields.b[layer] = end
            end += fields.units[layer + 1]
        fields.n_parameters = end
        return 0

    cdef void _set_blocks(self):
        """Fill in the table of the parameters' blocks, layer by layer."""
        cdef Py_ssize_t layer, h
        cdef architecture_t *fields = &self.fields
        for layer in range(fields.n_layers):
            h = fields.units[layer + 1]
            fields.blocks[2 * layer] = ParameterBlock(
                WEIGHTS, layer, fields.W[layer], fields.units[layer], h, True
            )
            fields.blocks[2 * layer + 1] = ParameterBlock(
                INTERCEPTS, layer, fields.b[layer], h, 1, False
            )

    def __dealloc__(self):
        free(self.fields.units)
        free(self.fields.blocks)
        free(self.fields.activation)
        free(self.fields.dropout)

    @property
    def n_weights(self):
        """Elements of all weight matrices."""
        return self.fields.n_weights

    @property
    def n_parameters(self):
        """Elements of all weight matrices and intercepts."""
        return self.fields.n_parameters
