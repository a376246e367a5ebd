"""The loss of a network and its gradient, with respect to parameters and inputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cymlp import _engine
from cymlp._engine.memory import aligned_empty
from cymlp._engine.threads import engine_threads
from cymlp._network.network import Network


def loss_and_gradients(
    network: Network,
    architecture: _engine.Architecture,
    dataset: _engine.Dataset,
    weights: NDArray[Any] | None,
    coefficients: tuple[tuple[float, ...], tuple[float, ...]],
    factor: float,
    n_jobs: int | None,
) -> tuple[float, list[NDArray[Any]], list[NDArray[Any]], NDArray[Any]]:
    """The mean loss, plus the penalties divided by the sum of the weights, and its gradients.

    Parameters
    ----------
    network : Network
    architecture : Architecture
        The network's architecture with the loss, but without penalties.
    dataset : Dataset
    weights : ndarray of shape (n_samples,) or None
        Sample weights.
    coefficients : tuple of two tuples of float
        The L2 and the L1 coefficients of each layer.
    factor : float
        The loss that the engine differentiates, divided by the loss that it reports.
    n_jobs : int or None

    Returns
    -------
    loss : float
    coef_grads, intercept_grads : list of ndarray
        They have the shapes of the network's ``coefs`` and ``intercepts``.
    X_grad : ndarray of shape (n_samples, n_features)
    """
    dtype = network.parameters.dtype
    gradient = Network(network.units, aligned_empty(network.parameters.size, dtype))
    X_grad = np.empty((dataset.n_samples, dataset.n_features), dtype)
    team = engine_threads(n_jobs, dataset.n_samples, architecture.n_weights, 1)
    try:
        team.start()
        loss = factor * _engine.loss_gradient(
            architecture,
            network.parameters,
            gradient.parameters,
            dataset,
            _engine.Workspace(architecture, dataset, team=team),
            X_grad,
        )
    finally:
        team.close()
    total = dataset.n_samples if weights is None else weights.sum(dtype=np.float64)
    loss += add_penalties(network, gradient, coefficients, total)
    return float(loss), list(gradient.coefs), list(gradient.intercepts), X_grad


def add_penalties(
    network: Network,
    gradient: Network,
    coefficients: tuple[tuple[float, ...], tuple[float, ...]],
    total: float,
) -> float:
    """The penalties divided by ``total``, whose gradient is added to ``gradient``.

    ``coefficients`` are the L2 and the L1 coefficients of each layer.
    """
    penalties = 0.0
    for W, G, l2, l1 in zip(network.coefs, gradient.coefs, *coefficients, strict=True):
        penalties += float(0.5 * l2 * np.vdot(W, W) + l1 * np.abs(W).sum()) / total
        G += (l2 * W + l1 * np.sign(W)) / total
    return penalties
