"""The nets keep scikit-learn's contract, without exceptions."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec import EmbeddingEncoder, TabularClassifier, TabularRegressor


@parametrize_with_checks([TabularRegressor(), TabularClassifier(), EmbeddingEncoder()])
def test_sklearn_contract(estimator, check):
    check(estimator)
