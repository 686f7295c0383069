"""Folders of released versions load and give the same predictions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tabrec
from tabrec.runs import RatingRun, TableRun
from tabrec.saving.class_names import find_class
from tabrec.saving.older_formats import name_in_format_1

FORMAT_1 = Path(__file__).parent / "format_1"
EXPECTED = json.loads((FORMAT_1 / "expected.json").read_text(encoding="utf-8"))
AUCTIONS = pd.read_csv(FORMAT_1 / "auctions.csv", parse_dates=["saledate"])
X = AUCTIONS.drop(columns="SalePrice")
PAIRS = pd.DataFrame({"user": [0, 1, 99, 12, 5], "item": ["film 0", "film 8", "film 3", "film 9", "nothing"]})
TRANSFORMERS = [
    *("date-parts", "categorify", "fill-missing", "normalize", "normalize-quantile", "elapsed-since"),
    *("tabular-preprocessor", "tabular-preprocessor-net", "embedding-encoder"),
]
REGRESSORS = [
    *("boosting-regressor", "pipeline", "transformed-target", "voting"),
    *("tabular-regressor", "tabular-regressor-quantiles", "tabular-regressor-by-time"),
]
# By folder, the user whose recommendations were recorded: in two of them a user was folded in.
FACTOR_MODELS = {
    "dot-product-bias": 3,
    "dot-product-bias-plain": 77,
    "bayesian-factorization": 3,
    "bayesian-factorization-ordinal": 77,
}


def assert_as_recorded(name, found):
    np.testing.assert_allclose(np.asarray(found, dtype=float), EXPECTED[name], rtol=1e-5, atol=1e-6)


def numbers_and_codes(frame):
    """The numeric and categorical columns of the first rows."""
    kept = [
        column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else column.astype(float)
        for _, column in frame.head(8).items()
        if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(column)
    ]
    return np.column_stack(kept)


def test_every_recorded_folder_is_tested():
    tested = {*TRANSFORMERS, *REGRESSORS, *FACTOR_MODELS, "embedding-nn", "run-forest", "run-dot"}
    tested |= {"forest-regressor", "forest-classifier", "boosting-classifier", "tabular-classifier"}
    assert tested == set(EXPECTED) == {path.name for path in FORMAT_1.iterdir() if path.is_dir()}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_of_format_1_transform_as_recorded(name):
    assert_as_recorded(name, numbers_and_codes(tabrec.load(FORMAT_1 / name).transform(X)))


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_of_format_1_predict_as_recorded(name):
    assert_as_recorded(name, tabrec.load(FORMAT_1 / name).predict(X)[:8])


@pytest.mark.parametrize("name", ["boosting-classifier", "tabular-classifier"])
def test_classifiers_of_format_1_predict_as_recorded(name):
    assert_as_recorded(name, tabrec.load(FORMAT_1 / name).predict_proba(X)[:8])


def test_forests_of_format_1_predict_as_recorded():
    forest = tabrec.load(FORMAT_1 / "forest-regressor")
    found = np.r_[forest.predict(X)[:8], forest.oob_prediction_[:8], forest.predict_spread(X)[:8]]
    assert_as_recorded("forest-regressor", found)
    forest = tabrec.load(FORMAT_1 / "forest-classifier")
    assert_as_recorded("forest-classifier", np.vstack([forest.predict_proba(X)[:8], forest.oob_decision_function_[:8]]))


def cosines(vectors, label):
    units = vectors.div(np.linalg.norm(vectors, axis=1), axis=0)
    return (units @ units.loc[label]).drop(label).to_numpy()


@pytest.mark.parametrize("name", FACTOR_MODELS)
def test_factor_models_of_format_1_answer_as_recorded(name):
    model, user = tabrec.load(FORMAT_1 / name), FACTOR_MODELS[name]
    found = [
        model.predict(PAIRS),
        model.recommend([user, 99], 3, order="rating")["score"],
        model.explain(user, "film 2").parts,
        # 0.1 did not damp the similarities of items with few ratings.
        np.sort(cosines(model.item_vectors_, "film 1"))[:-4:-1],
        model.user_bias_[:3],
    ]
    assert_as_recorded(name, np.concatenate(found))


def test_embedding_nn_of_format_1_answers_as_recorded():
    model = tabrec.load(FORMAT_1 / "embedding-nn")
    found = [
        model.predict(PAIRS),
        model.recommend([3, 99], 3, order="rating")["score"],
        model.explain(3, "film 2").parts,
    ]
    assert_as_recorded("embedding-nn", np.concatenate(found))


@pytest.mark.parametrize("name", [*FACTOR_MODELS, "embedding-nn"])
def test_recommenders_of_format_1_recommend_by_relevance(name):
    found = tabrec.load(FORMAT_1 / name).recommend([3, 99], 3)
    assert (found.groupby("user")["relevance"].diff().dropna() <= 0).all()


def test_runs_of_format_1_predict_as_recorded():
    assert_as_recorded("run-forest", TableRun.open(FORMAT_1 / "run-forest").predict(AUCTIONS)["SalePrice"].head(8))
    assert_as_recorded("run-dot", RatingRun.open(FORMAT_1 / "run-dot").model.predict(PAIRS))


def test_recommenders_of_format_1_learn_more():
    ratings = pd.read_csv(FORMAT_1 / "ratings.csv")
    for name in FACTOR_MODELS:
        model = tabrec.load(FORMAT_1 / name)
        grown = model.partial_fit(ratings[["user", "item"]].head(20), ratings["rating"].head(20))
        assert np.isfinite(grown.predict(PAIRS)).all()


def test_what_is_loaded_from_format_1_is_saved_in_the_new_format(tmp_path):
    for name in [*TRANSFORMERS, *REGRESSORS, *FACTOR_MODELS, "embedding-nn"]:
        saved = tabrec.save(tabrec.load(FORMAT_1 / name), tmp_path / name)
        text = (saved / "model.json").read_text(encoding="utf-8")
        assert json.loads(text)["format"] == 2
        assert '"tabrec.' not in text, "a module path stands in a saved model"
        tabrec.load(saved)


def test_every_name_finds_its_class():
    from tabrec.saving import class_names

    for name in class_names._PATHS:
        found = find_class(name, Path("model"))
        assert class_names.short_name(found) == name


def test_unknown_class_of_format_1_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds a os\.system, which tabrec"):
        name_in_format_1("os.system", tmp_path)


def test_changed_folder_of_format_1_is_refused(tmp_path):
    folder = shutil.copytree(FORMAT_1 / "categorify", tmp_path / "model")
    state = folder / "model.json"
    state.write_text(state.read_text(encoding="utf-8").replace("Ohio", "Oslo") + " ", encoding="utf-8")
    with pytest.raises(ValueError, match="has changed since it was saved"):
        tabrec.load(folder)
