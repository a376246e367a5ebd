"""Architecture: a network's layers and functions, and where its parameters and outputs begin."""
from libc.stdlib cimport calloc, free

from cymlp._engine.kernels.activations cimport N_ACTIVATIONS, activation_entry
from cymlp._engine.kernels.losses cimport (
    N_LOSSES, N_OUTPUT_ACTIVATIONS, NO_LOSS, loss_entry, output_activation_name
)

cdef int MOST_UNITS = 2_147_483_647   # as far as BLAS counts

# The names that the kernels know.
ACTIVATIONS = tuple(activation_entry(f).name.decode() for f in range(<int>N_ACTIVATIONS))
OUTPUT_ACTIVATIONS = tuple(
    output_activation_name(f).decode() for f in range(<int>N_OUTPUT_ACTIVATIONS)
)
LOSSES = tuple(loss_entry(loss).name.decode() for loss in range(NO_LOSS + 1, <int>N_LOSSES))


cdef int number(str kind, name, tuple names) except -1:
    """Where the name stands among those of its kind."""
    if name not in names:
        raise ValueError(f"The {kind} must be one of {names}, got {name!r}")
    return names.index(name)


cdef class Architecture:
    """Sizes, offsets, functions and penalties of a network, for the engine.

    Parameters
    ----------
    units : sequence of int
        Inputs, units of each hidden layer, outputs; each fits BLAS's 32-bit sizes.
    activation : str or sequence of str
        Of all hidden layers, or of each; among ``ACTIVATIONS``.
    output_activation : str
        Of the output layer; among ``OUTPUT_ACTIVATIONS``.
    loss : str, default=None
        Among ``LOSSES``; None where the network only predicts.
    loss_parameter : float, default=0.0
        The quantile, or the limit up to which Huber's loss is quadratic.
    label_smoothing : float, default=0.0
        Targets t of k classes become (1 - label_smoothing) t + label_smoothing / k.
    dropout : sequence of float, default=()
        Rates of each hidden layer, while training; empty for none.
    l2 : sequence of float, default=()
        Coefficients of each layer of weights, empty for none: the penalty is l2 / 2 |W|^2 over
        the weight of the mini-batch.
    l1 : sequence of float, default=()
        Coefficients of each layer of weights, empty for none: the penalty is l1 |W|_1 over the
        weight of the mini-batch. It is not part of the gradient, but applied after each update.

    Raises
    ------
    ValueError
        If a name is not known, the output activation and the loss do not go together, or there
        are not as many values as layers.
    """

    def __cinit__(
        self, units, activation, output_activation, *, loss=None, loss_parameter=0.0,
        label_smoothing=0.0, dropout=(), l2=(), l1=(),
    ):
        cdef architecture_t *fields = &self.fields
        cdef int f = number("output activation", output_activation, OUTPUT_ACTIVATIONS)
        if len(units) < 2 or not all(1 <= size <= MOST_UNITS for size in units):
            raise ValueError(
                f"Layers must have from 1 to {MOST_UNITS} units, and there must be two or more "
                f"of them, got {tuple(units)}."
            )
        fields.output_activation = <OutputActivation>f
        if loss is not None:
            fields.loss = <Loss>(NO_LOSS + 1 + number("loss", loss, LOSSES))
            together = loss_entry(fields.loss).output_activations.decode().split()
            if output_activation not in together:
                raise ValueError(
                    f"The loss {loss!r} goes with the output activations {together}, got "
                    f"{output_activation!r}"
                )
        fields.loss_parameter = loss_parameter
        fields.label_smoothing = label_smoothing
        n_hidden = len(units) - 2
        if isinstance(activation, str):
            activation = [activation] * n_hidden
        dropout = dropout or [0.0] * n_hidden
        l2, l1 = l2 or [0.0] * (n_hidden + 1), l1 or [0.0] * (n_hidden + 1)
        if not len(activation) == len(dropout) == n_hidden:
            raise ValueError("There must be an activation and a rate for each hidden layer")
        if not len(l2) == len(l1) == n_hidden + 1:
            raise ValueError("There must be penalties for each layer of weights")
        self._allocate(n_hidden + 1)
        self._set_sizes(units)
        self._set_functions(activation, dropout)
        self._set_blocks(l2, l1)

    cdef void _allocate(self, Py_ssize_t n_layers) except *:
        """Memory for what there is of each layer."""
        cdef architecture_t *fields = &self.fields
        fields.n_layers, fields.n_blocks = n_layers, 2 * n_layers
        fields.units = <Py_ssize_t *>calloc(4 * (n_layers + 1), sizeof(Py_ssize_t))
        fields.activation = <Activation *>calloc(n_layers, sizeof(Activation))
        fields.dropout = <double *>calloc(n_layers, sizeof(double))
        fields.blocks = <ParameterBlock *>calloc(fields.n_blocks, sizeof(ParameterBlock))
        if (
            fields.units == NULL or fields.activation == NULL or fields.dropout == NULL
            or fields.blocks == NULL
        ):
            raise MemoryError
        fields.W = fields.units + n_layers + 1
        fields.b = fields.W + n_layers + 1
        fields.A = fields.b + n_layers + 1

    cdef void _set_sizes(self, units) except *:
        """Fill in the layers' units, and where their outputs and their parameters begin."""
        cdef Py_ssize_t layer, end = 0
        cdef architecture_t *fields = &self.fields
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

    cdef void _set_functions(self, activation, dropout) except *:
        """Fill in the activation of each hidden layer and its rate of dropout."""
        cdef Py_ssize_t layer
        cdef int f
        for layer in range(self.fields.n_layers - 1):
            f = number("activation", activation[layer], ACTIVATIONS)
            self.fields.activation[layer] = <Activation>f
            self.fields.dropout[layer] = dropout[layer]
            self.fields.keeps_derivatives |= keeps_derivative(&self.fields, layer)

    cdef void _set_blocks(self, l2, l1) except *:
        """Fill in the table of the parameters' blocks, layer by layer."""
        cdef Py_ssize_t layer, h
        cdef architecture_t *fields = &self.fields
        fields.alpha = max(l2)
        for layer in range(fields.n_layers):
            h = fields.units[layer + 1]
            fields.blocks[2 * layer] = ParameterBlock(
                WEIGHTS, layer, fields.W[layer], fields.units[layer], h, True,
                l2[layer] / fields.alpha if fields.alpha > 0 else 0, l1[layer],
            )
            fields.blocks[2 * layer + 1] = ParameterBlock(
                INTERCEPTS, layer, fields.b[layer], h, 1, False, 0, 0
            )

    def __dealloc__(self):
        free(self.fields.units)
        free(self.fields.activation)
        free(self.fields.dropout)
        free(self.fields.blocks)

    @property
    def n_weights(self):
        """Elements of all weight matrices."""
        return self.fields.n_weights

    @property
    def n_parameters(self):
        """Elements of all weight matrices and intercepts."""
        return self.fields.n_parameters
