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
        cdef Py_ssize_t layer, end = 0
        cdef Net *net = &self.net
        if isinstance(activation, str):
            activation = [activation] * (len(units) - 2)
        dropout = dropout or [0.0] * (len(units) - 2)
        net.output = OUTPUTS[output]
        net.loss_parameter = loss_parameter
        net.label_smoothing = label_smoothing
        if len(units) < 2 or not all(1 <= size <= MOST_UNITS for size in units):
            raise ValueError(
                f"Layers must have from 1 to {MOST_UNITS} units, and there must be two or more "
                f"of them, got {tuple(units)}."
            )
        net.n_layers = len(units) - 1
        if not len(activation) == len(dropout) == net.n_layers - 1:
            raise ValueError("There must be an activation and a rate for each hidden layer")
        net.units = <Py_ssize_t *>calloc(4 * (net.n_layers + 1), sizeof(Py_ssize_t))
        net.activation = <Activation *>calloc(net.n_layers, sizeof(Activation))
        net.dropout = <double *>calloc(net.n_layers, sizeof(double))
        if net.units == NULL or net.activation == NULL or net.dropout == NULL:
            raise MemoryError
        for layer in range(net.n_layers - 1):
            net.activation[layer] = ACTIVATIONS[activation[layer]]
            net.dropout[layer] = dropout[layer]
            net.keeps_slopes |= keeps_slope(net, layer)
        net.W = net.units + net.n_layers + 1
        net.b = net.W + net.n_layers + 1
        net.A = net.b + net.n_layers + 1
        for layer in range(net.n_layers + 1):
            net.units[layer] = units[layer]
            if layer > 0:
                net.A[layer] = net.n_units
                net.n_units += net.units[layer]
                net.widest = max(net.widest, net.units[layer])
        for layer in range(net.n_layers):
            net.W[layer] = end
            end += net.units[layer] * net.units[layer + 1]
        net.n_weights = end
        for layer in range(net.n_layers):
            net.b[layer] = end
            end += net.units[layer + 1]
        net.n_parameters = end

    def __dealloc__(self):
        free(self.net.units)
        free(self.net.activation)
        free(self.net.dropout)

    @property
    def n_weights(self):
        """Elements of all weight matrices."""
        return self.net.n_weights

    @property
    def n_parameters(self):
        """Elements of all weight matrices and intercepts."""
        return self.net.n_parameters
