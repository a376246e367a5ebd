"""TrainingConfig: values derived from its fields."""

import pytest

from cymlp._training.config import TrainingConfig


def config(**values):
    return TrainingConfig(**{"output_activation": "identity", "loss": "squared_error"} | values)


@pytest.mark.parametrize(
    "batch_size, n_samples, expected",
    [
        ("auto", 1000, 200),
        ("auto", 200, 200),
        ("auto", 199, 199),
        (32, 100, 32),
        (101, 100, 100),
        (0, 100, 1),
        (-5, 100, 1),
    ],
)
def test_a_batch_has_at_least_one_row_and_at_most_all(batch_size, n_samples, expected):
    assert config(batch_size=batch_size).effective_batch_size(n_samples) == expected


def test_it_is_frozen():
    with pytest.raises(AttributeError):
        config().batch_size = 3
