"""The contenders of ``race``: each trains the same network as its documentation recommends."""

import os
import time
from abc import abstractmethod
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contenders import Contender, torch_linear
from benchmarks.fits import MODULES, estimator
from benchmarks.workloads import ADAM, ALPHA, SEED, Weights, Workload, load


class Trainer(Contender):
    """A library that trains a workload's network."""

    @classmethod
    def takes(cls, workload: Workload) -> bool:
        """Whether users of the library would train this workload with it."""
        return not (workload.is_sparse or workload.grid)

    def load(self, workload: Workload, dtype: str, weights: Weights) -> None:
        """Prepare a workload, in place of the previous one."""
        self.workload = workload
        self.decay = ALPHA / workload.batch_size
        self.prepare(*load(workload, dtype), weights)

    @abstractmethod
    def prepare(self, X: Any, y: Any, weights: Weights) -> None:
        """Take over the data and the initial weights."""

    @abstractmethod
    def train(self, epochs: int) -> None:
        """Train for this number of epochs."""

    @abstractmethod
    def weights(self) -> Weights:
        """The current weights."""

    def after_one_round(self) -> Weights:
        """The weights after the first round's epochs."""
        self.train(self.workload.epochs)
        return self.weights()

    def seconds(self) -> float:
        """Seconds of an epoch, or of a whole search."""
        start = time.perf_counter()
        self.train(self.workload.epochs)
        elapsed = time.perf_counter() - start
        return elapsed if self.workload.grid else elapsed / self.workload.epochs


def _search(mlp: Any, grid: dict[str, Any]) -> Any:
    """A grid search over a pipeline of a scaler and a network, one fit after the other."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return GridSearchCV(Pipeline([("scaler", StandardScaler()), ("mlp", mlp)]), grid, cv=3)


class ScikitLearn(Trainer):
    """scikit-learn's ``fit``, which draws the same initial weights itself."""

    name = "scikit-learn"
    packages = ("sklearn",)

    @classmethod
    def takes(cls, workload: Workload) -> bool:
        return True

    def prepare(self, X: Any, y: Any, weights: Weights) -> None:
        self._data = X, y

    def train(self, epochs: int) -> None:
        workload = self.workload
        mlp = estimator(
            MODULES[self.name],
            "MLPRegressor" if workload.output == "identity" else "MLPClassifier",
            hidden_layer_sizes=workload.hidden,
            activation=workload.activation,
            solver=workload.solver,
            alpha=ALPHA,
            batch_size=workload.batch_size,
            learning_rate_init=workload.learning_rate,
            max_iter=epochs,
            momentum=0,
            **ADAM,
        )
        if workload.grid:
            self.fitted = _search(mlp, workload.grid).fit(*self._data).best_estimator_["mlp"]
        else:
            self.fitted = mlp.fit(*self._data)

    def weights(self) -> Weights:
        return list(zip(self.fitted.coefs_, self.fitted.intercepts_, strict=True))


class Cymlp(ScikitLearn):
    """cymlp's ``fit``."""

    name = "cymlp"
    packages = ("cymlp",)


class PyTorch(Trainer):
    """Eager PyTorch; tensors in memory, indexed by slices of a random permutation."""

    name = "PyTorch"
    packages = ("torch",)

    def prepare(self, X: Any, y: Any, weights: Weights) -> None:
        import torch

        torch.manual_seed(SEED)
        workload = self.workload
        activation = {
            "logistic": torch.nn.Sigmoid,
            "relu": torch.nn.ReLU,
            "tanh": torch.nn.Tanh,
        }[workload.activation]
        self._X = torch.from_numpy(X)
        self._y = torch.from_numpy(y if workload.output == "softmax" else y.astype(X.dtype))
        self._linear = [torch_linear(W, b) for W, b in weights]
        layers = [layer for linear in self._linear for layer in (linear, activation())]
        self._network = torch.nn.Sequential(*layers[:-1])
        groups = [
            {"params": [linear.weight for linear in self._linear], "weight_decay": self.decay},
            {"params": [linear.bias for linear in self._linear], "weight_decay": 0.0},
        ]
        if workload.solver == "adam":
            betas = ADAM["beta_1"], ADAM["beta_2"]
            self._optimizer: torch.optim.Optimizer = torch.optim.Adam(
                groups, workload.learning_rate, betas, ADAM["epsilon"]
            )
        else:
            self._optimizer = torch.optim.SGD(groups, workload.learning_rate)
        self._batch_loss = self._loss

    def _loss(self, X: Any, y: Any) -> Any:
        from torch.nn import functional

        Z = self._network(X)
        if self.workload.output == "softmax":
            return functional.cross_entropy(Z, y)
        if self.workload.output == "logistic":
            return functional.binary_cross_entropy_with_logits(Z[:, 0], y)
        return functional.mse_loss(Z[:, 0], y) / 2

    def train(self, epochs: int) -> None:
        import torch

        for _ in range(epochs):
            for rows in torch.randperm(len(self._X)).split(self.workload.batch_size):
                self._optimizer.zero_grad(set_to_none=True)
                self._batch_loss(self._X[rows], self._y[rows]).backward()
                self._optimizer.step()

    def weights(self) -> Weights:
        return [
            (linear.weight.detach().numpy().T.copy(), linear.bias.detach().numpy().copy())
            for linear in self._linear
        ]


class CompiledPyTorch(PyTorch):
    """PyTorch with the network and the loss compiled into one graph."""

    name = "torch.compile"

    def prepare(self, X: Any, y: Any, weights: Weights) -> None:
        import torch

        super().prepare(X, y, weights)
        torch.compiler.reset()  # previous workloads count against the limit of recompilations
        self._batch_loss = torch.compile(self._loss)


class Jax(Trainer):
    """JAX, with the whole epoch in one jitted scan, and parameters and optimizer state donated."""

    name = "JAX"
    packages = ("jax",)

    def prepare(self, X: Any, y: Any, weights: Weights) -> None:
        import jax

        jax.config.update("jax_enable_x64", X.dtype == np.float64)
        self._data = jax.device_put((X, y))
        self._key = jax.random.key(SEED)
        params = jax.device_put(weights)
        zeros = partial(jax.tree.map, jax.numpy.zeros_like)
        adam = self.workload.solver == "adam"
        self._state = (params, zeros(params), zeros(params), 0) if adam else (params,)
        # A new function for each workload: jit would take the same method for the same function.
        self._epoch = jax.jit(lambda *state: self._whole_epoch(*state), donate_argnums=0)

    def _loss(self, params: Any, X: Any, y: Any) -> Any:
        """The mean loss of a mini-batch, with the penalty."""
        import jax

        f = {"logistic": jax.nn.sigmoid, "relu": jax.nn.relu, "tanh": jax.numpy.tanh}[
            self.workload.activation
        ]
        *hidden, (W, b) = params
        A = X
        for V, c in hidden:
            A = f(A @ V + c)
        Z = A @ W + b
        if self.workload.output == "softmax":
            log_p = jax.nn.log_softmax(Z)
            losses = -jax.numpy.take_along_axis(log_p, y[:, None], axis=1)
        elif self.workload.output == "logistic":
            losses = jax.nn.softplus(Z[:, 0]) - y * Z[:, 0]
        else:
            losses = (Z[:, 0] - y) ** 2 / 2
        return losses.mean() + self.decay / 2 * sum((V**2).sum() for V, _ in params)

    def _updated(self, state: Any, gradient: Any) -> Any:
        """The state after one update by SGD or Adam."""
        import jax

        rate = self.workload.learning_rate
        if len(state) == 1:
            return (jax.tree.map(lambda p, g: p - rate * g, *state, gradient),)
        params, m, v, t = state
        beta_1, beta_2, epsilon = ADAM.values()
        t += 1
        m = jax.tree.map(lambda m, g: beta_1 * m + (1 - beta_1) * g, m, gradient)
        v = jax.tree.map(lambda v, g: beta_2 * v + (1 - beta_2) * g**2, v, gradient)
        rate *= jax.numpy.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        params = jax.tree.map(
            lambda p, m, v: p - rate * m / (jax.numpy.sqrt(v) + epsilon), params, m, v
        )
        return params, m, v, t

    def _whole_epoch(self, state: Any, X: Any, y: Any, key: Any) -> Any:
        """The state after an epoch, whose last batch may be shorter than those that scan takes."""
        import jax

        def step(state: Any, rows: Any) -> Any:
            gradient = jax.grad(self._loss)(state[0], X[rows], y[rows])
            return self._updated(state, gradient), None

        order = jax.random.permutation(key, len(X))
        n_whole = len(X) - len(X) % self.workload.batch_size
        batches = order[:n_whole].reshape(-1, self.workload.batch_size)
        state, _ = jax.lax.scan(step, state, batches)
        if n_whole < len(X):
            state, _ = step(state, order[n_whole:])
        return state

    def train(self, epochs: int) -> None:
        import jax

        for _ in range(epochs):
            self._key, key = jax.random.split(self._key)
            self._state = self._epoch(self._state, *self._data, key)
        jax.block_until_ready(self._state)

    def weights(self) -> Weights:
        return [(np.array(W), np.array(b)) for W, b in self._state[0]]


class Keras(Trainer):
    """Keras's ``Model.fit`` on the JAX backend, jitted by default, from NumPy arrays."""

    name = "Keras"
    packages = ("keras", "jax")

    def prepare(self, X: Any, y: Any, weights: Weights) -> None:
        os.environ["KERAS_BACKEND"] = "jax"
        import jax
        import keras

        jax.config.update("jax_enable_x64", X.dtype == np.float64)
        keras.config.set_floatx(X.dtype.name)
        keras.utils.set_random_seed(SEED)
        workload = self.workload
        hidden = "sigmoid" if workload.activation == "logistic" else workload.activation
        losses = {
            "softmax": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "logistic": keras.losses.BinaryCrossentropy(from_logits=True),
            "identity": keras.losses.MeanSquaredError(),
        }
        self._data = X, y
        self._model = keras.Sequential([keras.Input((X.shape[1],))])
        for layer, units in enumerate(workload.units[1:], start=1):
            self._model.add(
                keras.layers.Dense(
                    units,
                    activation=hidden if layer < len(weights) else None,
                    kernel_regularizer=keras.regularizers.L2(self.decay / 2),
                )
            )
        self._model.set_weights([array for pair in weights for array in pair])
        rate = workload.learning_rate
        self._model.compile(
            optimizer=keras.optimizers.Adam(rate, **ADAM)
            if workload.solver == "adam"
            else keras.optimizers.SGD(rate),
            loss=losses[workload.output],
            loss_weights=[0.5 if workload.output == "identity" else 1.0],
        )

    def train(self, epochs: int) -> None:
        self._model.fit(
            *self._data,
            batch_size=self.workload.batch_size,
            epochs=epochs,
            shuffle=True,
            verbose=0,
        )

    def weights(self) -> Weights:
        arrays = self._model.get_weights()
        return list(zip(arrays[::2], arrays[1::2], strict=True))


TRAINERS: list[type[Trainer]] = [ScikitLearn, PyTorch, CompiledPyTorch, Jax, Keras, Cymlp]
