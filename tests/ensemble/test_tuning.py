"""`tune`: the first candidate is the given model, worse ones are given up, and a search continues from its file."""

import numpy as np
import pytest
from scipy.stats import loguniform, randint
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tabrec import BoostingRegressor, ForestClassifier, TabularRegressor, tune
from tabrec.ensemble import search_space
from tests.ensemble.test_ensembles import LINE, NUMBERS, SIDE, Endless

FOLDS = KFold(3, shuffle=True, random_state=0)
SPACE = {"alpha": [1e-3, 1e4]}


def test_the_best_candidate_is_found_and_has_the_score_of_cross_validation():
    tuning = tune(Ridge(alpha=100.0), NUMBERS, LINE, n_trials=8, space=SPACE, cv=FOLDS)
    assert tuning.best_params == {"alpha": 1e-3}
    assert tuning.best_estimator.alpha == 1e-3
    scores = -cross_val_score(Ridge(alpha=1e-3), NUMBERS, LINE, cv=FOLDS, scoring="neg_root_mean_squared_error")
    assert tuning.table["rmse"].min() == pytest.approx(scores.mean())
    assert tuning.table["alpha"][0] == 100.0
    given_up = tuning.table.query("alpha == 1e4")
    assert (given_up["n_folds"] < 3).all()
    assert len(given_up) > 0


def test_without_a_better_candidate_the_given_parameters_stay():
    tuning = tune(LogisticRegression(), NUMBERS, SIDE, n_trials=3, space={"C": [1e-6]}, cv=FOLDS)
    assert tuning.best_params == {}
    assert tuning.metric == "log_loss"


def test_a_search_continues_from_its_file(tmp_path):
    path = tmp_path / "search.json"
    first = tune(Ridge(), NUMBERS, LINE, n_trials=3, cv=3, path=path).table
    both = tune(Ridge(), NUMBERS, LINE, n_trials=5, cv=3, path=path).table
    assert both.head(3).equals(first)
    assert len(both) == 5
    assert both["alpha"].is_unique
    with pytest.raises(ValueError, match="holds the search of another estimator, table"):
        tune(Ridge(), NUMBERS, -LINE, n_trials=5, cv=3, path=path)


def test_a_candidate_that_fails_is_recorded_and_the_search_goes_on():
    tuning = tune(Ridge(), NUMBERS, LINE, n_trials=4, space={"alpha": [-1.0]}, cv=3)
    assert tuning.table["rmse"].isna().tolist() == [False, True, True, True]


def test_the_budget_ends_the_search_or_is_too_short():
    assert len(tune(Ridge(), NUMBERS, LINE, budget=0.3, cv=3).table) > 1
    with pytest.raises(ValueError, match="budget=0.1 is too short for the first candidate"):
        tune(Endless(), NUMBERS, LINE, budget=0.1, space={})
    with pytest.raises(ValueError, match="requires n_trials"):
        tune(Ridge(), NUMBERS, LINE, budget=None)


@pytest.mark.parametrize(
    ("space", "message"),
    [({"beta": [1]}, "'beta', which is not a parameter"), ({"alpha": 3}, "a list of values or a distribution")],
)
def test_spaces_are_checked(space, message):
    with pytest.raises(ValueError, match=message):
        tune(Ridge(), NUMBERS, LINE, space=space)


@pytest.mark.parametrize("model", [BoostingRegressor(), ForestClassifier(), TabularRegressor(), Ridge()], ids=repr)
def test_every_parameter_of_a_space_can_be_set(model):
    for name, values in search_space(model).items():
        for value in values.ppf([0.01, 0.99]) if hasattr(values, "ppf") else values:
            set_up = model.set_params(**{name: value})
            getattr(set_up, "_check_parameters", set_up._validate_params)()


def test_the_space_of_a_pipeline_is_that_of_its_last_step():
    assert list(search_space(make_pipeline(StandardScaler(), Ridge()))) == ["ridge__alpha"]
    with pytest.raises(ValueError, match="no search space for StandardScaler"):
        search_space(StandardScaler())


def test_distributions_are_drawn_within_their_bounds():
    space = {"alpha": loguniform(0.1, 10), "max_iter": randint(5, 50)}
    table = tune(Ridge(max_iter=5), NUMBERS, LINE, n_trials=10, space=space, cv=2).table
    assert table["max_iter"].dtype == int
    assert table["alpha"].between(0.1, 10).all()
    assert np.ptp(np.log(table["alpha"])) > 1
