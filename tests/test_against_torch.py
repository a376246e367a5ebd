"""Training step by step as PyTorch trains: the same weights, the same mini-batches, float64."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from cymlp import MLPClassifier, MLPRegressor, schedules

torch = pytest.importorskip("torch")

N_STEPS = 20
BATCH = 8
N_SAMPLES = 32  # four mini-batches an epoch, five epochs
RTOL = 1e-8

MODULES = {
    "identity": torch.nn.Identity,
    "logistic": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "leaky_relu": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "selu": torch.nn.SELU,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
    "mish": torch.nn.Mish,
    "softplus": torch.nn.Softplus,
}
SGD = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1}
# Adam's epsilon is added to the root of the uncorrected moment here, and as in scikit-learn;
# in PyTorch to that of the corrected one. It is so small that where it is added is not seen.
ADAM = {"solver": "adam", "learning_rate_init": 0.01, "epsilon": 1e-20}


@pytest.fixture(autouse=True, scope="module")
def one_thread_of_torch():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def sum_over_outputs(loss, **params):
    """The mean over the rows of the sum over the outputs."""
    function = getattr(torch.nn, loss)(reduction="sum", **params)
    return lambda z, t: function(z, t) / len(t)


def pinball(quantile):
    return lambda z, t: torch.maximum(quantile * (t - z), (quantile - 1) * (t - z)).sum() / len(t)


def problem(kind, n_outputs):
    """X (32, 6) and targets: classes, or numbers of one output or several."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, 6))
    numbers = rng.standard_normal((N_SAMPLES, n_outputs))
    if kind is MLPRegressor:
        return X, numbers[:, 0] if n_outputs == 1 else numbers
    if n_outputs == 1:
        return X, (numbers[:, 0] > 0).astype(int)
    return X, numbers.argmax(axis=1)


def torch_targets(kind, y):
    if kind is MLPRegressor or y.max() == 1:
        return torch.tensor(y.reshape(len(y), -1), dtype=torch.float64)
    return torch.tensor(y)


def assert_trains_as_torch(
    params, loss, optimizer, *, kind=MLPClassifier, n_outputs=3, activation=("tanh", "tanh"),
    of_targets=lambda y: y, clip=lambda parameters: None, scheduler=None,
):  # fmt: skip
    """20 steps of both from one set of weights; ``optimizer`` takes weights and intercepts."""
    X, y = problem(kind, n_outputs)
    y = of_targets(y)
    rng = np.random.default_rng(1)
    units = (6, 7, 5, n_outputs)
    coefs = [0.5 * rng.standard_normal(units[i : i + 2]) for i in range(3)]
    intercepts = [0.1 * rng.standard_normal(h) for h in units[1:]]
    linear = [torch.nn.Linear(*W.shape, dtype=torch.float64) for W in coefs]
    for layer, W, b in zip(linear, coefs, intercepts, strict=True):
        layer.weight.data[...] = torch.tensor(W.T)
        layer.bias.data[...] = torch.tensor(b)
    hidden = [MODULES[f]() for f in activation]
    net = torch.nn.Sequential(linear[0], hidden[0], linear[1], hidden[1], linear[2])
    weights, biases = [layer.weight for layer in linear], [layer.bias for layer in linear]
    optimizer = optimizer(weights, biases)
    scheduler = None if scheduler is None else scheduler(optimizer)
    inputs, targets = torch.tensor(X), torch_targets(kind, y)
    losses = []
    for step in range(N_STEPS):
        rows = slice(step * BATCH % N_SAMPLES, step * BATCH % N_SAMPLES + BATCH)
        optimizer.zero_grad()
        value = loss(net(inputs[rows]), targets[rows])
        value.backward()
        clip([*net.parameters()])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        losses.append(value.item())

    params = {
        "activation": activation, "alpha": 0.0, "batch_size": BATCH, "shuffle": False, "tol": 0.0,
        "n_iter_no_change": np.inf, "max_iter": N_STEPS * BATCH // N_SAMPLES, "warm_start": True,
        **params,
    }  # fmt: skip
    if kind is MLPClassifier:
        params["classes"] = np.unique(y)
    estimator = kind.from_weights(coefs, intercepts, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, y)
    for layer, start, W, b in zip(
        linear, coefs, estimator.coefs_, estimator.intercepts_, strict=True
    ):
        assert not np.allclose(W, start, rtol=1e-4)
        assert_allclose(W, layer.weight.detach().numpy().T, rtol=RTOL, atol=1e-10)
        assert_allclose(b, layer.bias.detach().numpy(), rtol=RTOL, atol=1e-10)
    if not params["alpha"]:  # which adds to the loss here
        of_epochs = np.reshape(losses, (-1, N_SAMPLES // BATCH)).mean(axis=1)
        if params.get("loss") == "squared_error":  # whose mean over the outputs is reported
            of_epochs /= n_outputs
        assert_allclose(estimator.loss_curve_, of_epochs, rtol=RTOL)


def sgd(lr=0.1, **params):
    return lambda weights, biases: torch.optim.SGD([*weights, *biases], lr, **params)


def on_weights_only(kind, weight_decay, **params):
    """An optimizer that decays the weights, or penalises them, but not the intercepts."""
    return lambda weights, biases: getattr(torch.optim, kind)(
        [
            {"params": weights, "weight_decay": weight_decay},
            {"params": biases, "weight_decay": 0.0},
        ],
        **params,
    )


@pytest.mark.parametrize("activation", MODULES)
@pytest.mark.parametrize("params, optimizer", [(SGD, "SGD"), (ADAM, "Adam")])
def test_activations(activation, params, optimizer):
    settings = {"lr": params["learning_rate_init"]}
    if optimizer == "Adam":
        settings["eps"] = params["epsilon"]
    assert_trains_as_torch(
        params, torch.nn.CrossEntropyLoss(), on_weights_only(optimizer, 0.0, **settings),
        activation=(activation, activation),
    )  # fmt: skip


def test_activations_of_each_layer():
    assert_trains_as_torch(
        SGD, torch.nn.CrossEntropyLoss(), sgd(), activation=("gelu", "leaky_relu")
    )


# alpha is over the number of the mini-batch's samples here, and not in PyTorch.
OPTIMIZERS = {
    "SGD": (SGD, sgd()),
    "momentum": (
        SGD | {"momentum": 0.8, "nesterovs_momentum": False},
        sgd(momentum=0.8),
    ),
    "Nesterov": (SGD | {"momentum": 0.8}, sgd(momentum=0.8, nesterov=True)),
    "L2": (SGD | {"alpha": 0.05 * BATCH}, on_weights_only("SGD", 0.05, lr=0.1)),
    "Nesterov with L2": (
        SGD | {"momentum": 0.8, "alpha": 0.05 * BATCH},
        on_weights_only("SGD", 0.05, lr=0.1, momentum=0.8, nesterov=True),
    ),
    "Adam": (ADAM, on_weights_only("Adam", 0.0, lr=0.01, eps=1e-20)),
    "Adam with betas": (
        ADAM | {"beta_1": 0.7, "beta_2": 0.95},
        on_weights_only("Adam", 0.0, lr=0.01, eps=1e-20, betas=(0.7, 0.95)),
    ),
    "Adam with L2": (
        ADAM | {"alpha": 0.05 * BATCH},
        on_weights_only("Adam", 0.05, lr=0.01, eps=1e-20),
    ),
    "AdamW": (
        ADAM | {"weight_decay": 0.5},
        on_weights_only("AdamW", 0.5, lr=0.01, eps=1e-20),
    ),
}


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, n_jobs):
    params, optimizer = OPTIMIZERS[name]
    assert_trains_as_torch(params | {"n_jobs": n_jobs}, torch.nn.CrossEntropyLoss(), optimizer)


def test_epsilon_of_adam():
    """Of any size, if PyTorch's is that over the root of its bias correction in each update."""

    def optimizer(weights, biases):
        adam = torch.optim.Adam([*weights, *biases], lr=0.01)
        group, original = adam.param_groups[0], adam.step

        def step():
            step.t += 1
            group["eps"] = 1e-3 / np.sqrt(1 - 0.999**step.t)
            original()

        step.t, adam.step = 0, step
        return adam

    assert_trains_as_torch(ADAM | {"epsilon": 1e-3}, torch.nn.CrossEntropyLoss(), optimizer)


LOSSES = {
    "squared error": ({"loss": "squared_error"}, lambda z, t: ((z - t) ** 2).sum() / (2 * len(t))),
    "absolute error": ({"loss": "absolute_error"}, sum_over_outputs("L1Loss")),
    "Huber's": ({"loss": "huber", "delta": 0.6}, sum_over_outputs("HuberLoss", delta=0.6)),
    "Huber's by default": ({"loss": "huber"}, sum_over_outputs("HuberLoss")),
    "low quantile": ({"loss": "quantile", "quantile": 0.1}, pinball(0.1)),
    "high quantile": ({"loss": "quantile", "quantile": 0.9}, pinball(0.9)),
}


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_numbers(name, n_outputs):
    params, loss = LOSSES[name]
    assert_trains_as_torch(SGD | params, loss, sgd(), kind=MLPRegressor, n_outputs=n_outputs)


def test_poisson_loss():
    def loss(z, t):
        deviance = torch.xlogy(t, t) - t - t * z + torch.exp(z)
        return deviance.sum() / len(t)

    assert_trains_as_torch(
        SGD | {"loss": "poisson"}, loss, sgd(), kind=MLPRegressor, n_outputs=2,
        of_targets=lambda y: np.maximum(np.round(2 * y), 0),
    )  # fmt: skip


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_losses_of_classes(n_outputs, smoothing):
    """PyTorch has no smoothing for two classes of one output: its targets are smoothed here."""
    cross_entropy = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    binary = torch.nn.BCEWithLogitsLoss()
    assert_trains_as_torch(
        SGD | {"label_smoothing": smoothing},
        cross_entropy
        if n_outputs > 1
        else lambda z, t: binary(z, (1 - smoothing) * t + smoothing / 2),
        sgd(),
        n_outputs=n_outputs,
    )


@pytest.mark.parametrize("n_jobs, clip_norm", [(1, 0.45), (2, 0.6)])
@pytest.mark.parametrize("name", ["SGD", "momentum", "Nesterov", "Adam", "AdamW"])
def test_clipping(name, clip_norm, n_jobs):
    """PyTorch divides by the norm plus 1e-6, which its bound makes up for here."""
    norms = []

    def clip(parameters):
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, np.inf).item())
        torch.nn.utils.clip_grad_norm_(parameters, clip_norm * (1 + 1e-6 / norms[-1]))

    params, optimizer = OPTIMIZERS[name]
    params = params | {"clip_norm": clip_norm, "n_jobs": n_jobs}
    assert_trains_as_torch(params, torch.nn.CrossEntropyLoss(), optimizer, clip=clip)
    assert min(norms) < clip_norm < max(norms)


def with_velocity_of_steps(scheduler):
    """PyTorch's momentum is of gradients, which is here of steps, each by the rate of its update.

    With one rate for all they are the same; with others it is PyTorch's that is made to follow.
    """

    def made(optimizer):
        scheduled = scheduler(optimizer)
        original = scheduled.step

        def step():
            rates = [group["lr"] for group in optimizer.param_groups]
            original()
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                for parameter in group["params"]:
                    velocity = optimizer.state[parameter].get("momentum_buffer")
                    if velocity is not None and group["lr"] > 0:  # or no step is to come
                        velocity *= rate / group["lr"]

        scheduled.step = step
        return scheduled

    return made


def scheduled(kind, **params):
    return lambda optimizer: getattr(torch.optim.lr_scheduler, kind)(optimizer, **params)


def warmed_up_cosine(optimizer):
    """A straight line, and half a cosine after it."""
    parts = [
        scheduled("LinearLR", start_factor=1 / 6, end_factor=1.0, total_iters=5)(optimizer),
        scheduled("CosineAnnealingLR", T_max=N_STEPS - 5)(optimizer),
    ]
    return torch.optim.lr_scheduler.SequentialLR(optimizer, parts, milestones=[5])


def one_cycle(anneal_strategy):
    """PyTorch's takes the highest rate by itself, and leaves momentum alone if told so."""
    return lambda optimizer: scheduled(
        "OneCycleLR",
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=N_STEPS,
        anneal_strategy=anneal_strategy,
        cycle_momentum=False,
    )(optimizer)


SCHEDULES = {
    "LinearDecay": (
        schedules.LinearDecay(end_factor=0.2, decay_steps=15),
        scheduled("LinearLR", start_factor=1.0, end_factor=0.2, total_iters=15),
    ),
    "InverseTimeDecay": (
        schedules.InverseTimeDecay(decay_rate=3.0, decay_steps=10),
        scheduled("LambdaLR", lr_lambda=lambda step: 1 / (1 + 0.3 * step)),
    ),
    "ExponentialDecay": (
        schedules.ExponentialDecay(decay_rate=0.9, decay_steps=1),
        scheduled("ExponentialLR", gamma=0.9),
    ),
    "StepDecay": (
        schedules.StepDecay(decay_steps=6, factor=0.5),
        scheduled("StepLR", step_size=6, gamma=0.5),
    ),
    "CosineDecay": (schedules.CosineDecay(), scheduled("CosineAnnealingLR", T_max=N_STEPS)),
    "restarts": (
        schedules.CosineDecay(first_decay_steps=4),
        scheduled("CosineAnnealingWarmRestarts", T_0=4, T_mult=2),
    ),
    "warm-up": (schedules.CosineDecay(warmup_steps=5), warmed_up_cosine),
    "OneCycle": (schedules.OneCycle(), one_cycle("cos")),
    "OneCycle, linear": (schedules.OneCycle(anneal_strategy="linear"), one_cycle("linear")),
    "one's own": (
        lambda step, total: 1 - step / (2 * total),
        scheduled("LambdaLR", lr_lambda=lambda step: 1 - step / (2 * N_STEPS)),
    ),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")
@pytest.mark.parametrize("optimizer", ["Nesterov", "AdamW"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name, optimizer):
    """The rate of each of the 20 updates, which AdamW's decay goes by too."""
    schedule, scheduler = SCHEDULES[name]
    params, optimizer = OPTIMIZERS[optimizer]
    assert_trains_as_torch(
        params | {"learning_rate": schedule}, torch.nn.CrossEntropyLoss(), optimizer,
        scheduler=with_velocity_of_steps(scheduler),
    )  # fmt: skip
