"""Every public tree estimator passes the checks of scikit-learn without expected failures."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec.trees import BoostingClassifier, BoostingRegressor, ForestClassifier, ForestRegressor


@parametrize_with_checks([ForestRegressor(), ForestClassifier(), BoostingRegressor(), BoostingClassifier()])
def test_sklearn_contract(estimator, check):
    check(estimator)
