"""The ensembles pass the checks of scikit-learn for estimators, without expected failures."""

from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec import EnsembleClassifier, EnsembleRegressor, ForestClassifier, ForestRegressor

# Few small members and folds: the checks fit each ensemble about a hundred times.
FOREST = {"n_estimators": 3, "oob_score": False, "n_jobs": 1}


@parametrize_with_checks(
    [
        EnsembleRegressor([("forest", ForestRegressor(**FOREST)), ("tree", DecisionTreeRegressor())], cv=2),
        EnsembleClassifier([("forest", ForestClassifier(**FOREST)), ("tree", DecisionTreeClassifier())], cv=2),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)
