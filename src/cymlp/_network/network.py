"""A network: the sizes of its layers and one vector of parameters."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import prod
from operator import is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._engine.memory import aligned_empty
from cymlp._engine.threads import engine_threads, is_tiny
from cymlp._network.initializers import Initializer
from cymlp._network.layer_sizes import n_parameters

Activation = str | tuple[str, ...]

# BLAS uses 32-bit sizes, so no layer may have more units.
_MAX_UNITS = np.iinfo(np.int32).max


class NotFiniteError(ValueError):
    """X has NaN or infinity, or its sparse indices changed while it was read."""

    def __init__(self) -> None:
        super().__init__("X has NaN or infinity, or its sparse indices changed as it was read.")


class Network:
    """A multi-layer perceptron: the sizes of its layers, and all parameters as one vector.

    Parameters
    ----------
    units : sequence of int
        Number of inputs, of units in each hidden layer, and of outputs.
    parameters : ndarray of shape (n_parameters,), float32 or float64
        Every layer's weights (fan_in, fan_out), row-major, then every layer's intercepts.

    Attributes
    ----------
    coefs, intercepts : tuple of ndarray
        Views of the parameters, one for each layer; writing into a view changes the parameters.
    """

    def __init__(self, units: Sequence[int], parameters: NDArray[Any]) -> None:
        self.units = tuple(int(n) for n in units)
        self.parameters = parameters
        self.coefs, self.intercepts = _views(self.units, parameters)
        self._architecture: tuple[tuple[Activation, str], Any] | None = None

    @classmethod
    def initialized(
        cls,
        units: Sequence[int],
        dtype: Any,
        initialize: Initializer,
        random_state: np.random.RandomState,
    ) -> "Network":
        """A network with the weights and intercepts that ``initialize`` draws, layer by layer.

        Raises
        ------
        ValueError
            If a layer has more units than BLAS can count.
        MemoryError
            If the parameters do not fit into memory.
        """
        if max(units) > _MAX_UNITS:
            raise ValueError(
                f"A layer can have at most {_MAX_UNITS} units, got layers of {list(units)} units."
            )
        network = cls(units, aligned_empty(n_parameters(units), dtype))
        for W, b in zip(network.coefs, network.intercepts, strict=True):
            fan_in, fan_out = W.shape
            W[...], b[...] = initialize(fan_in, fan_out, random_state)
        return network

    @classmethod
    def from_arrays(cls, coefs: Iterable[Any], intercepts: Iterable[Any]) -> "Network":
        """A network with copies of the given weights and intercepts.

        Raises
        ------
        ValueError
            If the shapes of consecutive layers do not match.
        """
        weights = [np.asarray(W) for W in coefs]
        biases = [np.asarray(b) for b in intercepts]
        shapes = f"coefs_ {[W.shape for W in weights]} and intercepts_ {[b.shape for b in biases]}"
        if not weights or any(W.ndim != 2 for W in weights):
            raise ValueError(f"coefs_ must be a list of matrices, got {shapes}.")
        units = [weights[0].shape[0]] + [W.shape[1] for W in weights]
        if [W.shape for W in weights] != list(pairwise(units)) or (
            [b.shape for b in biases] != [(n,) for n in units[1:]]
        ):
            raise ValueError(f"The shapes of the layers do not agree: {shapes}.")
        single = all(array.dtype == np.float32 for array in weights + biases)
        parameters = aligned_empty(n_parameters(units), np.float32 if single else np.float64)
        network = cls(units, parameters)
        for own, given in zip(network.coefs + network.intercepts, weights + biases, strict=True):
            own[...] = given
        return network

    @classmethod
    def from_finite_arrays(
        cls, coefs: Iterable[Any], intercepts: Iterable[Any], names: str
    ) -> "Network":
        """``from_arrays`` of arrays, called ``names`` in errors, that need not be valid.

        Raises
        ------
        ValueError
            If the arrays are not real numbers, finite and of matching shapes.
        """
        weights = [np.asarray(W) for W in coefs]
        biases = [np.asarray(b) for b in intercepts]
        if not all(array.dtype.kind in "biuf" for array in weights + biases):
            raise ValueError(f"{names} must be arrays of real numbers.")
        network = cls.from_arrays(weights, biases)
        if not network.is_finite():
            raise ValueError(f"{names} must be finite, got NaN or infinity.")
        return network

    def outputs(
        self,
        X: Any,
        activation: Activation,
        out_activation: str,
        *,
        rows: NDArray[np.intp] | None = None,
        apply_output_activation: bool = True,
        check_finite: bool = False,
        n_jobs: int | None = None,
        team: Any = None,
    ) -> NDArray[Any]:
        """The network's outputs (n_samples, n_outputs) for X, or for these rows of X.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Of any type that the engine reads.
        activation : str or tuple of str
            Activation of all hidden layers, or one for each.
        out_activation : str
            Activation of the output layer.
        rows : ndarray of shape (n_rows,), default=None
            Indices of the samples; None for all of them.
        apply_output_activation : bool, default=True
            Whether to apply the output layer's activation. If False, the outputs are its
            pre-activations.
        check_finite : bool, default=False
            Whether to check that X is finite in the parameters' dtype.
        n_jobs : int, default=None
            The estimator's parameter.
        team : Team, default=None
            Running threads to use, such as those of a fit.

        Raises
        ------
        NotFiniteError
            If X is checked and not finite, or its sparse indices are no longer valid.
        """
        architecture = self.architecture(activation, out_activation)
        dataset = _engine.Dataset(X, dtype=self.parameters.dtype)
        n_rows = dataset.n_samples if rows is None else len(rows)
        out = np.empty((n_rows, self.units[-1]), dtype=self.parameters.dtype)
        arguments = architecture, self.parameters, dataset, out, rows
        options = apply_output_activation, check_finite
        if team is not None or (n_jobs in (None, 1) and is_tiny(n_rows * architecture.n_weights)):
            is_valid = _engine.predict(*arguments, *options, team)
        else:
            # A forward pass is a third of the arithmetic of a training step.
            own_team = engine_threads(n_jobs, n_rows, architecture.n_weights, 1 / 3)
            try:
                own_team.start()
                is_valid = _engine.predict(*arguments, *options, own_team)
            finally:
                own_team.close()
        if not is_valid:
            raise NotFiniteError
        return out

    def architecture(self, activation: Activation, out_activation: str) -> Any:
        """The engine's description of this network for predictions."""
        key = (activation, out_activation)
        if self._architecture is None or self._architecture[0] != key:
            self._architecture = (key, _engine.Architecture(self.units, *key))
        return self._architecture[1]

    def copy(self) -> "Network":
        """A network with a copy of the parameters."""
        return Network(self.units, self.parameters.copy())

    def astype(self, dtype: Any) -> "Network":
        """This network, or a copy with parameters of another dtype."""
        if self.parameters.dtype == dtype:
            return self
        return Network(self.units, self.parameters.astype(dtype))

    def consists_of(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> bool:
        """Whether these arrays are exactly this network's views."""
        own = self.coefs + self.intercepts
        given = (*coefs, *intercepts)
        return len(own) == len(given) and all(map(is_, own, given))

    def is_finite(self) -> bool:
        """Whether no parameter is infinite or NaN."""
        return bool(_engine.is_finite(self.parameters[np.newaxis]))

    def __getstate__(self) -> dict[str, Any]:
        # Without the views, which would be pickled as copies.
        return {"units": self.units, "parameters": self.parameters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # asarray makes the views of a joblib memory map plain arrays, still backed by the map.
        Network.__init__(self, state["units"], np.asarray(state["parameters"]))


def _views(
    units: tuple[int, ...], parameters: NDArray[Any]
) -> tuple[tuple[NDArray[Any], ...], tuple[NDArray[Any], ...]]:
    """Weights (fan_in, fan_out) and intercepts (fan_out,) of each layer."""
    views, start = [], 0
    for shape in (*pairwise(units), *((n,) for n in units[1:])):
        stop = start + prod(shape)
        views.append(parameters[start:stop].reshape(shape))
        start = stop
    n_layers = len(units) - 1
    return tuple(views[:n_layers]), tuple(views[n_layers:])
