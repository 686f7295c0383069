"""Interpretation functions of tabrec and of other packages, timed in one process on the same forest and rows."""

import sys

import numpy as np
from _timing import Stopwatch
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import partial_dependence as brute_force
from sklearn.inspection import permutation_importance

watch = Stopwatch()

N_ROWS, N_COLUMNS, N_TREES, N_GRID, N_REPEATS = 20_000, 20, 40, 50, 5


def make_forest(min_samples_leaf: int):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_COLUMNS)).astype(np.float32)
    y = X[:, 0] ** 2 + np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3] + X[:, 4] + 0.5 * rng.normal(size=N_ROWS)
    return X, y, RandomForestRegressor(N_TREES, min_samples_leaf=min_samples_leaf, random_state=0).fit(X, y)


def main(min_samples_leaf: int, n_explained: int) -> None:
    import shap
    from treeinterpreter import treeinterpreter

    from tabrec.interpret import contributions, feature_importance, partial_dependence, shap_values

    X, y, forest = make_forest(min_samples_leaf)
    contributions(forest, X[:100])  # the first call imports modules
    with watch.stage("contributions"):
        ours = contributions(forest, X).contributions
    with watch.stage("predict"):
        forest.predict(X)
    with watch.stage("treeinterpreter"):
        theirs = treeinterpreter.predict(forest, X)[2]
    assert np.allclose(ours, theirs, atol=1e-10)

    grid = np.quantile(X[:, 0], np.linspace(0.05, 0.95, N_GRID)).astype(np.float32)
    with watch.stage("partial_dependence"):
        ours = partial_dependence(forest, X, "x0", grid=grid).average
    with watch.stage("brute_force"):
        theirs = brute_force(forest, X, [0], custom_values={0: grid}, method="brute", kind="average")["average"]
    assert np.allclose(ours, theirs, atol=1e-10)

    with watch.stage("feature_importance"):
        feature_importance(forest, X, y, method="oob")
    with watch.stage("permutation_importance"):
        permutation_importance(forest, X, y, n_repeats=N_REPEATS, random_state=0)

    with watch.stage("shap_values"):
        ours = shap_values(forest, X[:n_explained]).contributions
    explainer = shap.TreeExplainer(forest)
    with watch.stage("shap"):
        theirs = explainer.shap_values(X[:n_explained], check_additivity=False)
    assert np.allclose(ours, theirs, atol=1e-8)
    watch.values |= {"shap_values_row": 1000 * watch.values["shap_values"] / n_explained}
    watch.values |= {"shap_row": 1000 * watch.values["shap"] / n_explained}
    watch.report("tabrec", "scikit-learn", "treeinterpreter", "shap", "numpy")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
