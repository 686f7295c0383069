"""Every public estimator over trees keeps scikit-learn's contract, without exceptions."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec.trees import BoostingClassifier, BoostingRegressor, ForestClassifier, ForestRegressor

FAST = {"n_estimators": 5, "n_jobs": 1}


@parametrize_with_checks(
    [
        ForestRegressor(**FAST),
        ForestClassifier(**FAST),
        BoostingRegressor(max_iter=30),
        BoostingClassifier(max_iter=30),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)
