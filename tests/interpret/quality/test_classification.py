"""Curves, calibration, thresholds and confusion of classifiers, by known answers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LinearRegression
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from tabrec.interpret import classification_curves

N_ROWS = 2_000
RNG = np.random.default_rng(0)
CHANCE = RNG.beta(0.8, 2.0, N_ROWS)
Y = np.where(RNG.random(N_ROWS) < CHANCE, "yes", "no")


class Given(ClassifierMixin, BaseEstimator):
    """Predicts the probabilities that the columns of X hold."""

    def __init__(self, classes=("no", "yes")):
        self.classes = classes

    def fit(self, X, y=None):
        self.classes_ = np.array(self.classes)
        return self

    def predict_proba(self, X):
        values = np.asarray(X)
        return values if values.shape[1] > 1 else np.column_stack([1 - values, values])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def judge(probability, y=Y, **options):
    return classification_curves(Given().fit(None), pd.DataFrame({"p": probability}), y, **options)


@pytest.fixture(scope="module")
def honest():
    return judge(CHANCE)


def test_thresholds_agree_with_scikit_learn(honest):
    is_yes = Y == "yes"
    for row in honest.table.itertuples():
        chosen = row.threshold <= CHANCE
        assert row.selected == pytest.approx(chosen.mean())
        assert row.recall == pytest.approx(recall_score(is_yes, chosen))
        if chosen.any():
            assert row.precision == pytest.approx(precision_score(is_yes, chosen))
        assert row.cost == pytest.approx((chosen != is_yes).mean())
    expected = confusion_matrix(is_yes, CHANCE >= 0.3, labels=[True, False])
    np.testing.assert_array_equal(honest.confusion(0.3), expected)


def test_the_best_threshold_has_the_lowest_cost_of_all():
    result = judge(CHANCE, false_positive_cost=4, false_negative_cost=1)
    is_yes, limits = Y == "yes", np.append(np.unique(CHANCE), 2.0)
    costs = [np.where(is_yes, limit > CHANCE, 4.0 * (limit <= CHANCE)).mean() for limit in limits]
    at_best = result.table.set_index("threshold").loc[result.best_threshold, "cost"]
    assert at_best == pytest.approx(min(costs))
    assert 0.6 < result.best_threshold < 0.95  # 4 / 5 for calibrated probabilities


def test_true_probabilities_are_calibrated_and_extreme_ones_are_not(honest):
    assert honest.findings == []
    observed, predicted = calibration_curve(Y == "yes", CHANCE, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(honest.bins["observed"], observed)
    np.testing.assert_allclose(honest.bins["predicted"], predicted)
    assert (honest.bins["low"] < honest.bins["observed"]).all()
    odds = (CHANCE / (1 - CHANCE)) ** 2
    (finding,) = judge(odds / (1 + odds)).findings
    assert finding.kind == "miscalibrated probabilities"
    assert "yes" in finding.text


def test_whole_weights_are_repeated_rows():
    weights = np.arange(200) % 3
    once = judge(CHANCE[:200], Y[:200], sample_weight=weights)
    repeated = judge(np.repeat(CHANCE[:200], weights), np.repeat(Y[:200], weights))
    pd.testing.assert_frame_equal(once.table, repeated.table)
    names = ["roc_auc", "average_precision", "log_loss", "brier", "prevalence"]
    pd.testing.assert_series_equal(once.scores[names], repeated.scores[names])


def test_of_many_classes_one_is_judged_against_the_rest():
    probability = RNG.dirichlet([1, 1, 1], 300)
    y = np.array(["a", "b", "c"])[(probability.cumsum(axis=1) < RNG.random((300, 1))).sum(axis=1)]
    y[:150] = "b"
    model = Given(("a", "b", "c")).fit(None)
    assert classification_curves(model, probability, y).output == "b"
    assert classification_curves(model, probability, y, output="c").scores["prevalence"] == np.mean(y == "c")


def test_a_perfect_and_a_constant_classifier():
    perfect = judge((Y == "yes").astype(float))
    assert perfect.scores["roc_auc"] == 1
    assert perfect.confusion().to_numpy()[~np.eye(2, dtype=bool)].sum() == 0
    constant = judge(np.full(N_ROWS, 0.3))
    assert constant.scores["roc_auc"] == 0.5
    assert len(constant.bins) == 1


@pytest.mark.parametrize("kind", ["roc", "precision_recall", "calibration", "gain"])
def test_each_curve_is_drawn(honest, kind):
    assert honest.plot(kind=kind).lines


def test_bad_input_is_refused(honest):
    with pytest.raises(TypeError, match="needs a classifier, not LinearRegression"):
        classification_curves(LinearRegression().fit([[0.0], [1.0]], [0, 1]), [[0.0]], [1])
    with pytest.raises(ValueError, match="output='maybe' must be one of the model's classes"):
        judge(CHANCE, output="maybe")
    with pytest.raises(ValueError, match="y needs rows of 'yes' and others, but 2000 of 2000"):
        judge(CHANCE, np.full(N_ROWS, "yes"))
    with pytest.raises(ValueError, match="'kind' parameter"):
        honest.plot(kind="lift")
    with pytest.raises(ValueError, match="false_positive_cost"):
        judge(CHANCE, false_positive_cost=-1)
