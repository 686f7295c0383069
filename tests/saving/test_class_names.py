"""Searches, ensembles and pipelines of scikit-learn around models of this package are saved with what they hold."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PowerTransformer

import tabrec
from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    ForestClassifier,
    ForestRegressor,
    Normalize,
    TabularPreprocessor,
    TimeSplit,
)

X = pd.DataFrame({"a": np.linspace(1, 9, 24), "label": list("xyz") * 8, "b": np.arange(24) % 5 + 1.0})
y = X["a"] * 2 + (X["label"] == "x")
classes = np.where(y > 10, "high", "low")


def forest(**parameters):
    return ForestRegressor(2, oob_score=False, n_jobs=1, **({"random_state": 0} | parameters))


def classifier():
    return ForestClassifier(2, min_samples_leaf=1, oob_score=False, n_jobs=1, random_state=0)


def encoder():
    return ColumnTransformer([("label", OneHotEncoder(sparse_output=False), ["label"])], remainder="passthrough")


def mixed_encoder():
    return ColumnTransformer(
        [
            ("imputed", make_pipeline(SimpleImputer(), Normalize()), pd.Index(["a", "b"])),
            ("log", FunctionTransformer(np.log1p), make_column_selector(dtype_include=np.number)),
            ("clipped", FunctionTransformer(np.clip, kw_args={"a_min": 2, "a_max": 4}), slice(2, 3)),
            ("label", OneHotEncoder(sparse_output=False, dtype=np.float32), ["label"]),
        ]
    )


SEARCHES = {
    "grid": GridSearchCV(
        forest(), {"max_depth": [1, None], "min_samples_leaf": range(1, 3)}, cv=KFold(2, shuffle=True, random_state=0)
    ),
    "grid of scores": GridSearchCV(
        forest(), {"max_depth": [1, 2]}, cv=2, scoring=["r2", "neg_mean_absolute_error"], refit="r2"
    ),
    "grid of estimators": GridSearchCV(
        Pipeline([("encoder", TabularPreprocessor()), ("model", Ridge())]),
        {"model": [forest(), Ridge(), BoostingRegressor(max_iter=2)]},
        cv=ShuffleSplit(2, random_state=0),
        scoring=make_scorer(mean_absolute_error, greater_is_better=False),
    ),
    "grid without our models": GridSearchCV(
        make_pipeline(encoder(), Ridge()), {"ridge__alpha": [1, 2]}, cv=TimeSplit(2, column="b")
    ),
    "distributions": RandomizedSearchCV(
        forest(random_state=np.random.RandomState(0)),
        {"max_depth": scipy.stats.randint(1, 4), "max_features": scipy.stats.loguniform(0.3, 1)},
        n_iter=2,
        cv=2,
        random_state=np.random.RandomState(1),
    ),
    "halving grid": HalvingGridSearchCV(forest(), {"max_depth": [1, 2]}, cv=2, random_state=0),
    "halving distributions": HalvingRandomSearchCV(
        forest(), {"max_depth": scipy.stats.randint(1, 4)}, cv=2, random_state=0
    ),
}
REGRESSORS = {
    "transformed target": TransformedTargetRegressor(forest(), transformer=PowerTransformer()),
    "stacking": StackingRegressor([("forest", forest()), ("linear", make_pipeline(encoder(), Ridge()))], cv=2),
    "bagging": BaggingRegressor(forest(), 2, random_state=0),
    "boosted forests": make_pipeline(encoder(), AdaBoostRegressor(forest(), n_estimators=2, random_state=0)),
    "column transformer": make_pipeline(mixed_encoder(), forest()),
    "feature union": make_pipeline(FeatureUnion([("a", mixed_encoder()), ("b", encoder())]), forest()),
    "selected columns": make_pipeline(encoder(), RFE(Ridge()), SelectFromModel(Ridge()), forest()),
    "chain": make_pipeline(encoder(), RegressorChain(forest())),
    "neighbors": make_pipeline(encoder(), KNeighborsRegressor()),
    "perceptron": make_pipeline(encoder(), MLPRegressor(hidden_layer_sizes=(2,), max_iter=300, tol=1)),
    "Gaussian process": make_pipeline(encoder(), GaussianProcessRegressor(RBF(2.0))),
    "frozen": FrozenEstimator(forest().fit(X, y)),
}
CLASSIFIERS = {
    "calibrated": CalibratedClassifierCV(classifier(), cv=2),
    "calibrated by steps": CalibratedClassifierCV(classifier(), method="isotonic", cv=2),
    "stacking": StackingClassifier([("forest", classifier()), ("boosting", BoostingClassifier(max_iter=2))], cv=2),
    "voting": VotingClassifier([("forest", classifier()), ("boosting", BoostingClassifier(max_iter=2))], voting="soft"),
    "one versus rest": OneVsRestClassifier(classifier()),
    "tuned threshold": TunedThresholdClassifierCV(classifier(), cv=2),
    "fixed threshold": FixedThresholdClassifier(make_pipeline(encoder(), LogisticRegression()), threshold=0.3),
}


def saved_and_loaded(model, tmp_path):
    """The model after two rounds, so that what was loaded can be saved again."""
    back = tabrec.load(tabrec.save(model, tmp_path / "first"))
    return tabrec.load(tabrec.save(back, tmp_path / "second"))


@pytest.mark.parametrize("name", SEARCHES)
def test_search_comes_back_with_its_results(name, tmp_path):
    search = SEARCHES[name].fit(X, y)
    back = saved_and_loaded(search, tmp_path)
    np.testing.assert_array_equal(back.predict(X), search.predict(X))
    for attribute in ("best_params_", "best_score_", "best_index_", "n_splits_"):
        assert repr(getattr(back, attribute)) == repr(getattr(search, attribute))
    assert list(back.cv_results_) == list(search.cv_results_)
    for key, values in search.cv_results_.items():
        found = back.cv_results_[key]
        assert (type(found), found.__repr__()) == (type(values), values.__repr__())


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_of_scikit_learn_comes_back_the_same(name, tmp_path):
    model = REGRESSORS[name].fit(X, np.c_[y, y**2] if name == "chain" else y)
    np.testing.assert_array_equal(saved_and_loaded(model, tmp_path).predict(X), model.predict(X))


def test_regressor_of_several_outputs_comes_back_the_same(tmp_path):
    model = MultiOutputRegressor(forest()).fit(X, np.c_[y, y**2])
    np.testing.assert_array_equal(saved_and_loaded(model, tmp_path).predict(X), model.predict(X))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_of_scikit_learn_comes_back_the_same(name, tmp_path):
    model = CLASSIFIERS[name].fit(X, classes)
    back = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_search_goes_on_with_the_same_draws_after_loading(tmp_path):
    search = RandomizedSearchCV(
        forest(), {"max_depth": scipy.stats.randint(1, 50)}, n_iter=2, cv=2, random_state=np.random.RandomState(7)
    )
    back = saved_and_loaded(search, tmp_path)
    assert back.fit(X, y).cv_results_["params"] == search.fit(X, y).cv_results_["params"]


def add_one(values):
    return values + 1


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (make_pipeline(FunctionTransformer(add_one), forest()), r"Pipeline\.steps\[0\]\[1\]\.func is a function"),
        (make_pipeline(FunctionTransformer(np.load), forest()), r"steps\[0\]\[1\]\.func is a function \(numpy.*load\)"),
        (TransformedTargetRegressor(forest(), func=add_one), r"TransformedTargetRegressor\.func is a function"),
        (GridSearchCV(forest(), {"n_estimators": [1, add_one]}), r"\.param_grid\['n_estimators'\]\[1\] is a function"),
        (GridSearchCV(forest(), {}, scoring=add_one), r"GridSearchCV\.scoring is a function \(.*add_one\)"),
        (GridSearchCV(forest(), {}, scoring=make_scorer(add_one)), r"GridSearchCV\.scoring\._score_func is a function"),
        (GridSearchCV(forest(), {}, cv=(pair for pair in ())), r"GridSearchCV\.cv is a builtins\.generator"),
        (make_pipeline(KNeighborsRegressor(metric=add_one)), r"steps\[0\]\[1\]\.metric is a function"),
    ],
)
def test_what_a_saved_model_cannot_hold_is_named_by_its_place(model, place, tmp_path):
    with pytest.raises(TypeError, match=place):
        tabrec.save(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())
