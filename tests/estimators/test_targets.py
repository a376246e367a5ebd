"""Targets: encoding y for a network, and decoding its outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix, issparse
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.multiclass import unique_labels

from cymlp._estimators.targets import (
    LabelTargets,
    NumberTargets,
    are_known_labels,
    describe_labels,
    distinct_labels,
)


def label_targets(y, n_outputs=None, **params):
    return LabelTargets(n_outputs, *describe_labels(y), **params)


def one_hot(encoded, n_outputs):
    """Outputs of a network that predicts these targets with certainty."""
    return np.eye(n_outputs)[encoded] if encoded.ndim == 1 else encoded.astype(float)


LABELS = [
    st.integers(-5, 5),
    st.booleans(),
    st.text(alphabet="abc", max_size=2),
    st.sampled_from([0.0, 1.0, 7.0]),
]


class TestLabels:
    @given(st.one_of(*[st.lists(labels, min_size=1, max_size=20) for labels in LABELS]))
    def test_labels_round_trip(self, labels):
        """With one, two or many classes, from targets and from certain outputs."""
        y = np.array(labels)
        targets = label_targets(y)
        encoded = targets.encode(y, np.float64)
        n_outputs = targets.count_outputs(encoded)
        classes = np.unique(y)
        assert n_outputs == (len(classes) if len(classes) > 2 else 1)
        assert targets.output_activation == ("softmax" if len(classes) > 2 else "logistic")
        assert encoded.dtype == (np.intc if len(classes) > 2 else bool)
        for outputs in (encoded, one_hot(encoded, n_outputs)):
            decoded = targets.decode(outputs)
            assert decoded.dtype == y.dtype
            assert_array_equal(decoded, y)

    @given(st.integers(2, 4), st.lists(st.integers(0, 15), min_size=1), st.booleans())
    def test_indicators_round_trip(self, n_labels, numbers, sparse):
        Y = (np.array(numbers)[:, None] >> np.arange(n_labels)) & 1
        given_Y = csr_matrix(Y) if sparse else Y
        targets = label_targets(given_Y)
        if not targets.is_multilabel:  # if all rows are identical, scikit-learn sees none
            return
        encoded = targets.encode(given_Y, np.float64)
        assert encoded.dtype == bool and encoded.flags.c_contiguous
        assert_array_equal(encoded, Y)
        decoded = targets.decode(encoded.astype(float))
        assert issparse(decoded) == sparse
        assert_array_equal(decoded.toarray() if sparse else decoded, Y)

    def test_a_single_class_is_encoded_as_the_first(self):
        assert not label_targets(np.array(["a", "a"])).encode(np.array(["a", "a"]), float).any()

    def test_ties_go_to_the_first_class(self):
        targets = label_targets(np.array([3, 5, 9]))
        assert_array_equal(targets.decode(np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])), [3, 5])

    @pytest.mark.parametrize(
        "y, wrong, message",
        [
            (np.arange(3), np.array([0, 3]), r"classes \[3\] that are not in classes_ \[0 1 2\]"),
            (np.arange(2), np.array([2]), r"classes \[2\] that are not in"),
            (np.arange(3), np.eye(2, dtype=int), "y of shape"),
            (np.eye(3, dtype=int), np.array([0, 1]), "y of shape"),
            (np.eye(3, dtype=int), np.eye(3, 2, dtype=int), "y of shape .* the 3 outputs"),
        ],
        ids=["unknown", "unknown of two", "indicators", "labels", "fewer labels"],
    )
    def test_labels_that_do_not_match_the_network(self, y, wrong, message):
        targets = label_targets(y, n_outputs=3)
        targets.encode(y, np.float64)
        with pytest.raises(ValueError, match=message):
            targets.encode(wrong, np.float64)

    def test_two_classes_are_stratified(self):
        for y, expected in (
            (np.arange(2), True), (np.arange(3), False), (np.eye(3, dtype=int), False)
        ):  # fmt: skip
            targets = label_targets(y)
            assert targets.stratifies(targets.encode(y, np.float64)) is expected

    def test_the_score_is_the_accuracy(self):
        y, predicted, weights = np.arange(4) % 3, np.zeros(4, dtype=int), np.arange(4.0)
        for w in (None, weights):
            expected = accuracy_score(y, predicted, sample_weight=w)
            assert label_targets(y).score(y, predicted, w) == expected
        assert not label_targets(y).prefers_loss
        assert not label_targets(y).reports_mean_over_outputs

    def test_the_loss(self):
        assert label_targets(np.arange(3), label_smoothing=0.2).loss == {
            "loss": "log_loss", "label_smoothing": 0.2,
        }  # fmt: skip

    @pytest.mark.parametrize(
        "y",
        [np.arange(3), np.arange(2), np.ones(3, dtype=int), np.array([True, False]),
         np.array(["a", "b"]), np.eye(3, dtype=int)],
        ids=["three", "two", "one", "bools", "strings", "indicators"],
    )  # fmt: skip
    def test_labels_are_described_as_by_scikit_learn(self, y):
        (classes, *others), theirs = describe_labels(y), LabelBinarizer().fit(y)
        assert_array_equal(classes, theirs.classes_)
        assert others == [theirs.y_type_, theirs.sparse_input_]


class TestClassWeights:
    Y = np.array(["low", "middle", "high", "low"])
    MANY = np.array([[0, 1, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0]])

    def weights(self, y, class_weight, sample_weight=None, dtype=np.float64):
        targets = label_targets(y, class_weight=class_weight)
        return targets.training_weights(y, sample_weight, dtype)

    def test_without_class_weights_sample_weights_are_unchanged(self):
        own = np.ones(4)
        assert self.weights(self.Y, None, own) is own
        assert self.weights(self.Y, None) is None

    @pytest.mark.parametrize("own", [None, np.arange(4.0)], ids=["plain", "weighted"])
    def test_weights_per_sample(self, own):
        factors = np.ones(4) if own is None else own
        assert_array_equal(self.weights(self.Y, {"low": 2.0}, own), factors * [2, 1, 1, 2])
        balanced = compute_class_weight("balanced", classes=np.unique(self.Y), y=self.Y)
        expected = factors * balanced[np.unique(self.Y, return_inverse=True)[1]]
        assert_allclose(self.weights(self.Y, "balanced", own), expected)
        dicts = [{0: 1, 1: 2}, {0: 3, 1: 1}, {0: 1, 1: 5}]
        assert_array_equal(self.weights(self.MANY, dicts, own), factors * [5, 2, 6, 1])
        expected = factors * compute_sample_weight("balanced", self.MANY)
        assert_allclose(self.weights(self.MANY, "balanced", own), expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_weights_have_the_dtype_of_X(self, dtype):
        assert self.weights(self.Y, "balanced", dtype=dtype).dtype == dtype

    def test_a_class_missing_in_y(self):
        """As in scikit-learn, since part of the data may lack a rare class."""
        assert_array_equal(self.weights(np.arange(2), {0: 1, 1: 2, 2: 3}), [1, 2])

    @pytest.mark.parametrize(
        "y, class_weight, message",
        [
            (Y, [{0: 1}], r"class_weight=\[{0: 1}\] .*a list is only for multilabel y"),
            (Y, {"low": 1, "no": 2}, r"class_weight={.*} .* \['no'\]"),
            (np.arange(3), {0: 1, 9: 2, "a": 1}, r"class_weight={.*} .* \[9, 'a'\]"),
            (np.arange(3), {0: "x"}, "class_weight={0: 'x'}"),
            (np.arange(3), {0: -1.0}, "not negative"),
            (np.arange(3), {0: np.nan}, "finite"),
            (np.arange(3), {0: np.inf}, "finite"),
            (np.arange(3), dict.fromkeys(range(3), 0), "not 0 for all samples"),
            (np.arange(3), {7: 1.0}, r"\[7\]"),
            (MANY, {0: 1}, "class_weight={0: 1} .* list of dicts"),
            (MANY, [{0: 1}], r"class_weight=\[{0: 1}\] .* 1 .* 3 outputs"),
            (MANY, [{0: 1, 2: 1}] * 3, r"class_weight=\[.*\] .* \[2\]"),
        ],
        ids=lambda value: "" if isinstance(value, np.ndarray) else str(value),
    )
    def test_class_weights_that_do_not_match_y(self, y, class_weight, message):
        with pytest.raises(ValueError, match=message) as caught:
            self.weights(y, class_weight)
        assert "compute_" not in str(caught.value)


class TestNumbers:
    @given(
        st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=12),
        st.integers(1, 3),
        st.sampled_from([np.float32, np.float64]),
    )  # fmt: skip
    def test_numbers_round_trip(self, numbers, n_outputs, dtype):
        y = np.array(numbers)
        if n_outputs > 1:
            y = np.stack([y] * n_outputs, axis=1)
        targets = NumberTargets(None, "squared_error")
        encoded = targets.encode(y, dtype)
        assert encoded.shape == (len(y), n_outputs) and encoded.dtype == dtype
        assert encoded.flags.c_contiguous and encoded.flags.aligned
        assert targets.count_outputs(encoded) == n_outputs
        assert_array_equal(targets.decode(encoded), y)

    @pytest.mark.parametrize(
        "loss, parameter, output_activation, prefers_loss",
        [
            ("squared_error", 0.0, "identity", False),
            ("poisson", 0.0, "exp", False),
            ("absolute_error", 0.0, "identity", True),
            ("huber", 0.5, "identity", True),
            ("quantile", 0.1, "identity", True),
        ],
    )
    def test_losses(self, loss, parameter, output_activation, prefers_loss):
        targets = NumberTargets(1, loss, parameter)
        assert targets.loss == {"loss": loss, "loss_parameter": parameter}
        assert targets.output_activation == output_activation
        assert targets.prefers_loss is prefers_loss
        assert targets.reports_mean_over_outputs is (loss == "squared_error")
        assert not targets.stratifies(np.zeros((3, 1)))
        assert targets.training_weights(None, None, float) is None

    def test_negative_counts_are_refused(self):
        targets = NumberTargets(None, "poisson")
        assert_array_equal(targets.encode(np.array([0.0, 2.5]), float), [[0], [2.5]])
        with pytest.raises(ValueError, match=r"loss='poisson' requires y >= 0.*-0.5"):
            targets.encode(np.array([-0.5, 0.0]), float)
        NumberTargets(None, "squared_error").encode(np.array([-0.5]), float)

    def test_outputs_that_do_not_match_the_network(self):
        targets = NumberTargets(2, "squared_error")
        targets.encode(np.ones((3, 2)), float)
        for wrong in (np.ones(3), np.ones((3, 3))):
            with pytest.raises(ValueError, match="outputs, but the network has been fitted to 2"):
                targets.encode(wrong, float)

    def test_numbers_too_large_for_float32(self):
        with pytest.raises(ValueError, match="Input y contains infinity or a value too large"):
            NumberTargets(None, "squared_error").encode(np.array([1e39, 0.0]), np.float32)

    def test_the_score_is_r2(self):
        y, predicted = np.arange(4.0), np.array([0.0, 1.0, 2.0, 4.0])
        targets = NumberTargets(1, "squared_error")
        for weights in (None, np.array([1.0, 2.0, 0.0, 1.0])):
            expected = r2_score(y, predicted, sample_weight=weights)
            assert targets.score(y, predicted, weights) == expected
        assert np.isnan(targets.score(y, np.array([0.0, 1.0, np.inf, 1.0]), None))


class TestQuickChecks:
    """Of labels that are integers or bools: the same as scikit-learn's slow ones."""

    LABELS = st.one_of(*[st.lists(labels, min_size=1, max_size=20) for labels in LABELS])

    @given(LABELS)
    def test_distinct_labels(self, labels):
        mine, yours = distinct_labels(np.array(labels)), unique_labels(labels)
        assert mine.dtype == yours.dtype
        assert_array_equal(mine, yours)

    @given(LABELS, LABELS)
    def test_known_labels(self, labels, classes):
        y, classes = np.array(labels), np.unique(classes)
        are_plain = y.dtype.kind in "iub" and classes.dtype.kind in "iub"
        are_known = are_plain and set(labels) <= set(classes)
        assert are_known_labels(y, classes) == are_known

    def test_no_classes(self):
        assert not are_known_labels(np.array([1]), np.array([], dtype=int))
