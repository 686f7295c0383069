"""The nets pass the checks of scikit-learn for estimators, without expected failures."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec import EmbeddingEncoder, TabularClassifier, TabularRegressor

# Small nets: the checks fit each estimator about a hundred times.
SMALL = {"layers": (16,), "n_members": 2, "n_bins": 8, "epochs": 10, "batch_size": 32, "learning_rate": 2e-2}


@parametrize_with_checks(
    [TabularRegressor(**SMALL), TabularClassifier(**SMALL), EmbeddingEncoder(TabularRegressor(**SMALL), cv=2)]
)
def test_sklearn_contract(estimator, check):
    check(estimator)
