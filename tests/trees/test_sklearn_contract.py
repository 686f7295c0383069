"""Every public tree estimator passes the checks of scikit-learn without expected failures."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec.trees import BoostingClassifier, BoostingRegressor, ForestClassifier, ForestRegressor


# Few trees, enough for the scores that the checks ask for: they fit each estimator about a hundred times.
@parametrize_with_checks(
    [
        ForestRegressor(n_estimators=5),
        ForestClassifier(n_estimators=5),
        BoostingRegressor(learning_rate=0.1, max_iter=30),
        BoostingClassifier(max_iter=10),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)
