"""Small problems for the engine, with a reference network in plain NumPy."""

import numpy as np
from numpy.testing import assert_array_equal

from cymlp import _engine
from cymlp._engine.threads import engine_threads
from reference import LOSS_PARAMETERS, OUTPUTS, ReferenceNetwork, ReferenceUpdate, targets_for

# Each update rule with settings.
RULES = {
    "sgd": {},
    "momentum": {"momentum": 0.8},
    "nesterov": {"momentum": 0.8},
    "adam": {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-6},
}


def update_rule(name, rate=0.1, **settings):
    return _engine.UpdateRule(name, learning_rate=rate, **RULES[name], **settings)


def batches_of(rows, batch_size):
    """The rows of each mini-batch; the last may be shorter."""
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


class Case:
    """A small problem: a reference network with samples, targets and weights.

    ``settings`` are the architecture's: dropout, label_smoothing.
    """

    def __init__(
        self, hidden=(5,), activation="tanh", output="softmax", n=23, k=3, seed=0, d=7, **settings
    ):
        rng = np.random.default_rng(seed)
        self.units = (d, *hidden, k)
        self.reference = ReferenceNetwork(self.units, activation, output, rng)
        self.X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.6)
        self.T = targets_for(output, n, k, rng)
        self.w = rng.uniform(0.1, 2, n)
        self.activation, self.settings = activation, settings

    def architecture(self, alpha=0.0, l1=0.0):
        """The architecture with one penalty for all layers, or one for each."""
        output_activation, loss = OUTPUTS[self.reference.output]
        n_layers = len(self.units) - 1
        return _engine.Architecture(
            self.units,
            self.activation,
            output_activation,
            loss=loss,
            loss_parameter=LOSS_PARAMETERS.get(self.reference.output, 0.0),
            l2=tuple(np.broadcast_to(alpha, n_layers)),
            l1=tuple(np.broadcast_to(l1, n_layers)),
            **self.settings,
        )

    def dataset(self, X=None, dtype=np.float64, weighted=True):
        X = self.X.astype(dtype) if X is None else X
        weights = self.w.astype(dtype) if weighted else None
        return _engine.Dataset(X, self.T.astype(dtype), weights, dtype=np.dtype(dtype))

    def loss_gradient(
        self, dataset, alpha=0.0, dtype=np.float64, parameters=None, *, size=1,
        most_chunk_rows=None, X_gradient=None,
    ):  # fmt: skip
        """The loss and its gradient, computed in memory filled with NaN."""
        parameters = self.reference.flat if parameters is None else parameters
        gradient = np.full(parameters.size, np.nan, dtype=dtype)
        architecture = self.architecture(alpha)
        with engine_threads(size, 1, 1, 1) as team:
            workspace = _engine.Workspace(
                architecture, dataset, team=team, most_chunk_rows=most_chunk_rows
            )
            loss = _engine.loss_gradient(
                architecture, parameters.astype(dtype), gradient, dataset, workspace, X_gradient
            )
        return loss, gradient

    def X_gradient(self, dataset, dtype=np.float64, **settings):
        """dloss/dX; checks that the memory around it is not changed."""
        memory = np.full(self.X.size + 200, 7, dtype=dtype)
        out = memory[100:-100].reshape(self.X.shape)
        self.loss_gradient(dataset, dtype=dtype, X_gradient=out, **settings)
        assert_array_equal(memory[:100], 7)
        assert_array_equal(memory[-100:], 7)
        return out

    def train(
        self, rule, dataset, batch_size, *, alpha=0.0, l1=0.0, order=None, dtype=np.float64,
        size=1, most_chunk_rows=None, **of_train,
    ):  # fmt: skip
        """Parameters after one run, the returned loss, and the final state."""
        parameters = self.reference.flat.astype(dtype)
        state = np.zeros((rule.n_states, parameters.size), dtype=dtype)
        architecture = self.architecture(alpha, l1)
        with engine_threads(size, 1, 1, 1) as team:
            workspace = _engine.Workspace(
                architecture, dataset, rule, batch_size, team, most_chunk_rows=most_chunk_rows
            )
            loss, _ = _engine.train(
                architecture, parameters, state, rule, dataset, workspace, order, **of_train
            )
        return parameters, loss, state

    def train_by_reference(self, rule, batches, *, alpha=0.0, rates=(0.1,), weighted=True):
        """Parameters and mean loss after a step on each batch of row indices.

        ``rates`` are the steps' learning rates; the last is used for all later steps. The reference
        network is not changed.
        """
        before, update = self.reference.flat, ReferenceUpdate(rule, None, **RULES[rule])
        network, w = self.reference, self.w if weighted else np.ones_like(self.w)
        total = 0.0
        for i, rows in enumerate(batches):
            batch = self.X[rows], self.T[rows], w[rows]
            update.rate = rates[min(i, len(rates) - 1)]
            total += len(rows) * network.loss(*batch, alpha)
            network.flat = update(network.flat, network.gradient(*batch, alpha))
        after, network.flat = network.flat, before
        return after, total / sum(len(rows) for rows in batches)

    def outputs(self, dataset, n_rows, *, dtype=np.float64, **settings):
        out = np.full((n_rows, self.units[-1]), np.nan, dtype=dtype)
        parameters = self.reference.flat.astype(dtype)
        _engine.predict(self.architecture(), parameters, dataset, out, **settings)
        return out
