"""Schedules of the learning rate: formulas, PyTorch's and Keras' numbers, parameters."""

import copy
import dataclasses
import inspect
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

from cymlp import schedules
from cymlp._training.learning_rate import learning_rate_factors
from cymlp.schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    OneCycle,
    Schedule,
    StepDecay,
)

CLASSES = [getattr(schedules, name) for name in schedules.__all__ if name != "Schedule"]

SCHEDULES = [
    LinearDecay(),
    LinearDecay(end_factor=0.1, decay_steps=0.5),
    InverseTimeDecay(2.0),
    InverseTimeDecay(0.5, decay_steps=3, staircase=True),
    ExponentialDecay(0.01),
    ExponentialDecay(0.96, decay_steps=0.1, staircase=True),
    StepDecay(0.3),
    StepDecay(4, factor=0.5),
    CosineDecay(),
    CosineDecay(alpha=0.1, warmup_steps=0.1),
    CosineDecay(warmup_steps=3, first_decay_steps=5, m_mul=0.8),
    CosineDecay(alpha=0.2, first_decay_steps=0.2, t_mul=1),
    OneCycle(),
    OneCycle(pct_start=0.0),
    OneCycle(pct_start=1.0, anneal_strategy="linear"),
]


@pytest.mark.parametrize(
    "schedule, total, wanted",
    [
        (LinearDecay(), 8, {0: 1, 1: 7 / 8, 7: 1 / 8, 8: 0, 100: 0}),
        (LinearDecay(0.2, 4), 100, {0: 1, 1: 0.8, 3: 0.4, 4: 0.2, 99: 0.2}),
        (LinearDecay(0.2, 0.04), 100, {3: 0.4, 4: 0.2}),
        (InverseTimeDecay(3.0), 10, {0: 1, 5: 1 / 2.5, 10: 1 / 4, 20: 1 / 7}),
        (InverseTimeDecay(0.5, 1), 10, {0: 1, 1: 1 / 1.5, 8: 1 / 5}),
        (InverseTimeDecay(0.5, 4, staircase=True), 10, {3: 1, 4: 1 / 1.5, 7: 1 / 1.5, 8: 1 / 2}),
        (InverseTimeDecay(0), 10, {0: 1, 10: 1}),
        (ExponentialDecay(0.25), 10, {0: 1, 5: 0.5, 10: 0.25, 20: 0.0625}),
        (ExponentialDecay(0.9, 1), 10, {1: 0.9, 3: 0.9**3}),
        (ExponentialDecay(0.9, 4, staircase=True), 10, {3: 1, 4: 0.9, 7: 0.9, 8: 0.81}),
        (ExponentialDecay(2, 1), 10, {3: 8}),
        (StepDecay(3), 10, {0: 1, 2: 1, 3: 0.1, 5: 0.1, 6: 0.01}),
        (StepDecay(0.5, factor=0.2), 10, {4: 1, 5: 0.2, 9: 0.2, 10: 0.04}),
        (CosineDecay(), 8, {0: 1, 2: (1 + math.sqrt(0.5)) / 2, 4: 0.5, 8: 0, 9: 0}),
        (CosineDecay(alpha=0.5), 8, {0: 1, 4: 0.75, 8: 0.5, 9: 0.5}),
        (CosineDecay(warmup_steps=3), 11, {0: 1 / 4, 1: 2 / 4, 2: 3 / 4, 3: 1, 7: 0.5, 11: 0}),
        (CosineDecay(warmup_steps=0.25), 4, {0: 1 / 2, 1: 1, 4: 0}),
        (CosineDecay(0.2, warmup_steps=9), 4, {3: 4 / 10, 8: 9 / 10, 9: 0.2}),
        (CosineDecay(first_decay_steps=4), 9, {0: 1, 2: 0.5, 4: 1, 8: 0.5, 12: 1, 20: 0.5}),
        (
            CosineDecay(0.2, warmup_steps=1, first_decay_steps=2, t_mul=3, m_mul=0.5), 9,
            {0: 1 / 2, 1: 1, 2: 0.6, 3: 0.6, 6: 0.4, 9: 0.4, 18: 0.3},
        ),
        (OneCycle(0.5, "cos", 10, 100), 22, {0: 0.1, 5: 0.55, 10: 1, 21: 1e-3, 30: 1e-3}),
        (OneCycle(0.5, "linear", 10, 100), 22, {0: 0.1, 5: 0.55, 10: 1, 21: 1e-3, 22: 1e-3}),
        (OneCycle(0.25), 4, {0: 1, 3: 1 / 25e4}),
        (OneCycle(0), 4, {3: 1 / 25e4}),
        (OneCycle(1), 4, {0: 1 / 25, 3: 1, 4: 1 / 25e4}),
    ],
    ids=repr,
)  # fmt: skip
def test_formula(schedule, total, wanted):
    for step, factor in wanted.items():
        assert schedule(step, total) == pytest.approx(factor, rel=1e-14, abs=1e-16), step


@given(st.sampled_from(SCHEDULES), st.integers(1, 70))
@settings(max_examples=40)
def test_array_has_the_factors_of_its_steps(schedule, total):
    steps = np.arange(60).reshape(4, 15)
    factors = schedule(steps, total)
    assert factors.shape == steps.shape
    assert factors.dtype == np.float64
    for step, factor in zip(steps.flat, factors.flat, strict=True):
        for scalar in (step, int(step)):
            alone = schedule(scalar, total)
            assert type(alone) is float
            assert alone == pytest.approx(factor, rel=1e-15)


@given(st.sampled_from(SCHEDULES), st.integers(1, 1000))
def test_factors_lie_between_0_and_1(schedule, total):
    factors = schedule(np.arange(3 * total + 20), total)
    assert factors.min() >= 0
    assert factors.max() <= 1
    assert factors[0] > 0


@pytest.mark.parametrize(
    "schedule, end",
    [
        (LinearDecay(), 0),
        (LinearDecay(0.3, 1.0), 0.3),
        (CosineDecay(), 0),
        (CosineDecay(0.3, 0.99), 0.3),
        (OneCycle(), 1 / 25 / 1e4),
        (OneCycle(1.0, div_factor=5), 1 / 5 / 1e4),
    ],
    ids=repr,
)
def test_a_decay_to_an_end_stays_there(schedule, end):
    for total in (1, 2, 3, 10, 1000):
        assert_array_equal(schedule(np.arange(total, 2 * total + 9), total), end)


def torchs_factors(name, n_steps, **parameters):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **parameters)
    factors = [optimizer.param_groups[0]["lr"]]
    while len(factors) < n_steps:
        optimizer.step()
        scheduler.step()
        factors.append(optimizer.param_groups[0]["lr"])
    return factors


@pytest.mark.parametrize(
    "schedule, total, n_steps, name, parameters",
    [
        (
            LinearDecay(0.1, 20), 50, 40,
            "LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 20},
        ),
        (
            LinearDecay(), 25, 40,
            "LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 25},
        ),
        (ExponentialDecay(0.9, 1), 50, 40, "ExponentialLR", {"gamma": 0.9}),
        (StepDecay(7), 50, 40, "StepLR", {"step_size": 7}),
        (StepDecay(0.1, 0.5), 30, 40, "StepLR", {"step_size": 3, "gamma": 0.5}),
        (CosineDecay(), 30, 31, "CosineAnnealingLR", {"T_max": 30}),
        (CosineDecay(0.1), 30, 31, "CosineAnnealingLR", {"T_max": 30, "eta_min": 0.1}),
        (
            CosineDecay(0.1, first_decay_steps=3), 30, 200,
            "CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.1},
        ),
        (
            CosineDecay(first_decay_steps=1, t_mul=3), 30, 1200,
            "CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 3},
        ),
        (
            CosineDecay(first_decay_steps=7, t_mul=1), 30, 100,
            "CosineAnnealingWarmRestarts", {"T_0": 7},
        ),
        *[
            (
                OneCycle(*parameters.values()), total, total,
                "OneCycleLR",
                {"max_lr": 1.0, "total_steps": total, "cycle_momentum": False, **parameters},
            )
            for total in (1, 30)
            for parameters in (
                {},
                {"pct_start": 0.45, "anneal_strategy": "linear"},
                {"pct_start": 0.0},
                {"pct_start": 0.95, "anneal_strategy": "cos", "div_factor": 3.0},
            )
        ],
    ],
)  # fmt: skip
def test_same_as_pytorch(schedule, total, n_steps, name, parameters):
    wanted = torchs_factors(name, n_steps, **parameters)
    assert_allclose(schedule(np.arange(n_steps), total), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "schedule, name, parameters",
    [
        (InverseTimeDecay(0.5, 4), "InverseTimeDecay", {"decay_rate": 0.5, "decay_steps": 4}),
        (
            InverseTimeDecay(0.5, 4, True), "InverseTimeDecay",
            {"decay_rate": 0.5, "decay_steps": 4, "staircase": True},
        ),
        (ExponentialDecay(0.5), "ExponentialDecay", {"decay_rate": 0.5, "decay_steps": 30}),
        (
            ExponentialDecay(0.5, 4, True), "ExponentialDecay",
            {"decay_rate": 0.5, "decay_steps": 4, "staircase": True},
        ),
        (CosineDecay(0.1), "CosineDecay", {"decay_steps": 30, "alpha": 0.1}),
        (
            CosineDecay(0.1, 5), "CosineDecay",
            {
                "initial_learning_rate": 1 / 6, "decay_steps": 25, "alpha": 0.1,
                "warmup_target": 1.0, "warmup_steps": 5,
            },
        ),
        (
            CosineDecay(0.1, first_decay_steps=5, m_mul=0.7), "CosineDecayRestarts",
            {"first_decay_steps": 5, "alpha": 0.1, "m_mul": 0.7},
        ),
        (
            CosineDecay(first_decay_steps=5, t_mul=1.0, m_mul=1.1), "CosineDecayRestarts",
            {"first_decay_steps": 5, "t_mul": 1.0, "m_mul": 1.1},
        ),
    ],
)  # fmt: skip
def test_same_as_keras(schedule, name, parameters, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras")
    parameters = {"initial_learning_rate": 1.0, **parameters}
    theirs = getattr(keras.optimizers.schedules, name)(**parameters)
    wanted = [float(theirs(step)) for step in range(40)]  # in float32
    assert_allclose(schedule(np.arange(40), 30), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "first, t_mul", [(1, 1), (7, 1), (7, 1.05), (1, 1.1), (1, 1.5), (2, 2), (7, 3), (10, 10)]
)
def test_restarts_come_at_the_right_step(first, t_mul):
    schedule = CosineDecay(first_decay_steps=first, t_mul=t_mul, m_mul=0.99)
    factors = schedule(np.arange(3000), 3000)
    begin, length, height = Fraction(0), Fraction(first), 1.0
    for step, factor in enumerate(factors):
        if step >= begin + length:
            begin, length, height = begin + length, length * Fraction(str(t_mul)), 0.99 * height
        wanted = height * (1 + math.cos(math.pi * (step - begin) / length)) / 2
        assert factor == pytest.approx(wanted, rel=1e-9, abs=1e-12), step


def test_periods_of_one_update():
    factors = CosineDecay(first_decay_steps=1, t_mul=1)(np.arange(5), 5)
    assert_array_equal(factors, 1)


@pytest.mark.parametrize("total", [100, 300, 700])
def test_shares_are_rounded_to_whole_updates(total):
    steps = np.arange(total)
    for percent in range(1, 101):
        assert_array_equal(
            StepDecay(percent / 100)(steps, total), StepDecay(percent * total // 100)(steps, total)
        )
    assert_array_equal(LinearDecay(decay_steps=0.26)(steps, 10), LinearDecay(0, 3)(steps, 10))
    assert_array_equal(LinearDecay(decay_steps=1e-9)(steps, total), steps == 0)
    assert_array_equal(CosineDecay(warmup_steps=1e-9)(steps, total), CosineDecay()(steps, total))


def test_one_is_an_update_and_one_point_zero_the_fit():
    assert LinearDecay(decay_steps=1)(5, 10) == 0
    assert LinearDecay(decay_steps=1.0)(5, 10) == 0.5
    assert LinearDecay(decay_steps=np.int64(1))(5, 10) == 0
    assert LinearDecay(decay_steps=np.float64(1))(5, 10) == 0.5
    for decay in (LinearDecay, lambda decay_steps: InverseTimeDecay(0.5, decay_steps)):
        assert decay(decay_steps=None)(5, 10) == decay(decay_steps=1.0)(5, 10)


@given(st.sampled_from(SCHEDULES))
def test_schedules_are_values(schedule):
    same = [
        eval(repr(schedule)),
        copy.deepcopy(schedule),
        pickle.loads(pickle.dumps(schedule)),
        clone(schedule, safe=False),
        dataclasses.replace(schedule),
    ]
    for other in same:
        assert other == schedule
        assert hash(other) == hash(schedule)
        assert repr(other) == repr(schedule)
        assert other(3, 10) == schedule(3, 10)
    assert len(set(SCHEDULES)) == len(SCHEDULES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(schedule, dataclasses.fields(schedule)[0].name, 0.5)


class Scheduled(BaseEstimator):
    """Scores as the factor in the middle of the fit."""

    def __init__(self, learning_rate="constant"):
        self.learning_rate = learning_rate

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return self.learning_rate(5, 10)


def test_schedules_in_a_grid():
    grid = [StepDecay(1), LinearDecay(), InverseTimeDecay(3.0), lambda step, total: 0.3]
    search = GridSearchCV(Scheduled(), {"learning_rate": grid}, cv=2, refit=False)
    search.fit(np.zeros((4, 1)), np.zeros(4))
    assert search.best_params_ == {"learning_rate": LinearDecay()}
    assert list(search.cv_results_["param_learning_rate"]) == grid
    assert "StepDecay(decay_steps=0.5" in repr(Scheduled(StepDecay(0.5)))


BAD_PARAMETERS = {
    LinearDecay: {
        "end_factor": [-0.1, 1.1, np.nan, None, True],
        "decay_steps": [0, -1, -0.5, 1.5, 0.0, np.nan, np.inf, "all", True, [1]],
    },
    InverseTimeDecay: {
        "decay_rate": [-1, np.inf, None, False],
        "decay_steps": [0, 1.5],
        "staircase": ["yes", 1, None],
    },
    ExponentialDecay: {
        "decay_rate": [0, np.inf, "1", True],
        "decay_steps": [0, 1.5],
        "staircase": [0],
    },
    StepDecay: {"decay_steps": [0, 1.5, None], "factor": [0, np.nan, None]},
    CosineDecay: {
        "alpha": [-0.1, 1.1],
        "warmup_steps": [-1, -0.5, 1.0, np.nan, None, False],
        "first_decay_steps": [0, 1.5],
        "t_mul": [0.9, np.nan, np.inf],
        "m_mul": [0, np.inf],
    },
    OneCycle: {
        "pct_start": [-0.1, 1.1],
        "anneal_strategy": ["cosine", "Linear", None],
        "div_factor": [0, np.inf],
        "final_div_factor": [0, -1],
    },
}


def test_every_parameter_is_tried_and_documented():
    assert set(BAD_PARAMETERS) == set(CLASSES) == {type(schedule) for schedule in SCHEDULES}
    for Class, bad in BAD_PARAMETERS.items():
        names = [field.name for field in dataclasses.fields(Class)]
        assert list(bad) == names
        for field in dataclasses.fields(Class):
            (line,) = [
                line
                for line in inspect.getdoc(Class).splitlines()
                if line.startswith(f"{field.name} : ")
            ]
            default = line.partition("default=")[2]
            if field.default is dataclasses.MISSING:
                assert not default
            else:
                assert eval(default) == field.default


@pytest.mark.parametrize("Class", BAD_PARAMETERS, ids=lambda Class: Class.__name__)
def test_bad_parameters(Class):
    for name, values in BAD_PARAMETERS[Class].items():
        for value in values:
            assert_refused(Class, name, value)


def assert_refused(Class, name, value):
    """A value of one parameter, by a ValueError that is a TypeError too."""
    needed = {
        field.name: 0.5
        for field in dataclasses.fields(Class)
        if field.default is dataclasses.MISSING
    }
    Class(**needed)
    with pytest.raises(ValueError) as caught:
        Class(**{**needed, name: value})
    assert isinstance(caught.value, TypeError)
    message = str(caught.value)
    assert message.startswith(f"The '{name}' parameter of {Class.__name__} must be ")
    assert message.partition(" Did you mean ")[0].endswith(f" Got {value!r} instead.")


def test_message_says_what_is_allowed():
    with pytest.raises(ValueError) as caught:
        LinearDecay(decay_steps=0)
    assert str(caught.value) == (
        "The 'decay_steps' parameter of LinearDecay must be an int in the range [1, inf), "
        "a float in the range (0.0, 1.0] or None. Got 0 instead."
    )


def test_numbers_of_numpy_are_good_parameters():
    ours = InverseTimeDecay(np.float64(0.5), np.int64(4), np.bool_(True))
    assert ours(9, 10) == InverseTimeDecay(0.5, 4, True)(9, 10)
    single = ExponentialDecay(np.float32(0.5), np.float32(0.5))
    assert single(np.arange(3), 4).dtype == np.float64
    assert single(1, 4) == ExponentialDecay(0.5, 2)(1, 4)


def test_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Schedule()
    assert all(issubclass(Class, Schedule) for Class in CLASSES)


@given(st.sampled_from(SCHEDULES), st.integers(1, 60))
def test_factors_of_some_updates(schedule, n_steps):
    """However the updates are divided into epochs, and past the end of the fit."""
    whole = learning_rate_factors(schedule, 0, 50, 30)
    assert whole.dtype == np.float64
    assert_array_equal(whole, schedule(np.arange(50), 30))
    parts = [learning_rate_factors(schedule, first, n_steps, 30) for first in range(0, 50, n_steps)]
    assert_allclose(np.concatenate(parts)[:50], whole, rtol=1e-15)


def test_factors_of_a_schedule_take_one_call():
    class Counting(Schedule):
        calls = 0

        def _factors(self, step, total):
            self.calls += 1
            return step / total

    schedule = Counting()
    assert_array_equal(learning_rate_factors(schedule, 2, 3, 10), [0.2, 0.3, 0.4])
    assert schedule.calls == 1


def test_factors_of_a_function():
    calls = []

    def schedule(step, total):
        calls.append((step, total))
        assert type(step) is type(total) is int
        return 1 / (1 + step)

    factors = learning_rate_factors(schedule, 3, 4, 10)
    assert factors.dtype == np.float64
    assert_array_equal(factors, [1 / 4, 1 / 5, 1 / 6, 1 / 7])
    assert calls == [(3, 10), (4, 10), (5, 10), (6, 10)]
    assert learning_rate_factors(schedule, 3, 0, 10).shape == (0,)


@pytest.mark.parametrize(
    "value", [0, 1, 0.5, np.float32(0.5), np.int8(1), np.array(0.5), 1e300], ids=repr
)
def test_a_function_may_return(value):
    assert_array_equal(learning_rate_factors(lambda step, total: value, 0, 2, 10), [value, value])


class Broken:
    def __init__(self, value):
        self.value = value

    def __call__(self, step, total):
        return self.value if step >= 5 else 1.0

    def __repr__(self):
        return "Broken()"


@pytest.mark.parametrize(
    "value",
    [-1, -1e-300, np.nan, np.inf, -np.inf, None, "0.5", 0.5j, True, [0.5], np.array([0.5]), {}],
    ids=repr,
)
def test_a_function_must_not_return(value):
    with pytest.raises(ValueError) as caught:
        learning_rate_factors(Broken(value), 3, 4, 10)
    assert str(caught.value) == (
        "A schedule of the learning rate must give a finite number, at least 0. "
        f"Broken() gave {value!r} at step 5 of 10."
    )


@pytest.mark.parametrize(
    "schedule, step",
    [
        (ExponentialDecay(10, 1), 309),
        (CosineDecay(first_decay_steps=1, t_mul=1, m_mul=2.0), 1024),
    ],
    ids=repr,
)
def test_overflow_is_refused(schedule, step):
    assert learning_rate_factors(schedule, 0, step, 2000).max() < np.inf
    with pytest.raises(ValueError, match=f" gave .*inf.* at step {step} of 2000"):
        learning_rate_factors(schedule, 0, 2000, 2000)
