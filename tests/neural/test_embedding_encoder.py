"""`EmbeddingEncoder`: vectors of a net instead of labels, out of fold for training rows."""

import copy

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from tabrec import EmbeddingEncoder, ForestRegressor, TabularClassifier, TabularRegressor, TimeSplit

SETTINGS = {
    "layers": (16,),
    "n_members": None,
    "batch_norm": False,
    "dropout": 0.0,
    "embedding_dropout": 0.0,
    "unknown_rate": 0.01,
    "numeric_embedding": None,
    "epochs": 5,
    "batch_size": 32,
    "learning_rate": 0.02,
    "weight_decay": 0.0,
    "schedule": "one_cycle",
    "device": "cpu",
    "mixed_precision": False,
    "random_state": 0,
}
NET = TabularRegressor(**SETTINGS)
SIZED = TabularRegressor(**SETTINGS, embedding_sizes={"ModelID": 3, "state": 2})
N_ROWS = 200


def make_frame(seed=0, n_rows=N_ROWS):
    """Prices that depend on the age and on one of twelve models."""
    generator = np.random.default_rng(seed)
    model = generator.integers(0, 12, n_rows)
    X = pd.DataFrame(
        {
            "ModelID": [f"M{m}" for m in model],
            "state": generator.choice(["Ohio", "Utah"], n_rows),
            "age": np.where(generator.random(n_rows) < 0.1, np.nan, generator.uniform(0, 10, n_rows)),
        }
    )
    effects = np.random.default_rng(99).normal(0, 5, 12)
    return X, effects[model] - X["age"].fillna(5).to_numpy() / 2 + generator.normal(0, 0.3, n_rows)


def vectors_of(frame, column="ModelID"):
    return frame[[name for name in frame if name.startswith(f"{column}_")]].to_numpy()


# --- What comes out --------------------------------------------------------------------------------------------------


def test_labels_become_numbered_columns_after_the_encoded_others():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED).fit(X, y)
    out = encoder.transform(X)
    names = ["age", "age_na", "ModelID_0", "ModelID_1", "ModelID_2", "state_0", "state_1"]
    assert out.columns.tolist() == names == encoder.get_feature_names_out().tolist()
    assert encoder.columns_ == ["ModelID", "state"]
    encoded = encoder.estimator_.encode(X)
    pd.testing.assert_frame_equal(out[["age", "age_na"]], encoded[["age", "age_na"]])
    table = encoder.estimator_.embeddings_["ModelID"]
    np.testing.assert_array_equal(vectors_of(out), table.loc[X["ModelID"]].to_numpy())
    assert {out[name].dtype for name in names[2:]} == {np.dtype(np.float32)}


def test_output_columns_are_traced_to_the_raw_columns():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED, columns=["ModelID"]).fit(X, y)
    assert encoder.input_to_outputs_ == {
        "ModelID": ["ModelID_0", "ModelID_1", "ModelID_2"],
        "state": ["state"],
        "age": ["age", "age_na"],
    }
    assert list(encoder.output_to_input_) == encoder.transform(X).columns.tolist()
    assert encoder.output_to_input_["ModelID_1"] == "ModelID"


def test_a_failed_fit_leaves_the_encoder_as_it_was():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED, cv=2).fit(X, y)
    before = dict(vars(encoder))
    with pytest.raises(ValueError, match="columns names"):
        encoder.set_params(columns=["nowhere"]).fit_transform(X[:100], y[:100])
    assert vars(encoder) == before | {"columns": ["nowhere"]}


def test_a_clone_of_the_net_is_fitted():
    X, y = make_frame()
    net = clone(SIZED)
    encoder = EmbeddingEncoder(net).fit(X, y)
    np.testing.assert_array_equal(encoder.estimator_.predict(X), clone(SIZED).fit(X, y).predict(X))
    assert not hasattr(net, "model_")


def test_transform_is_the_same_every_time_and_for_a_row_alone():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED).fit(X, y)
    pd.testing.assert_frame_equal(encoder.transform(X), encoder.transform(X))
    pd.testing.assert_frame_equal(encoder.transform(X.iloc[[7]]), encoder.transform(X).iloc[[7]])


def test_the_same_random_state_gives_the_same_vectors():
    X, y = make_frame()
    one, other = (EmbeddingEncoder(SIZED, cv=2).fit_transform(X, y) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_unseen_and_missing_labels_get_the_vector_of_code_0():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED).fit(X, y)
    code_0 = encoder.estimator_.embeddings_["ModelID"].loc["#na#"].tolist()
    rows = X.head(2).assign(ModelID=pd.Series(["M99", None], dtype=object))
    assert vectors_of(encoder.transform(rows)).tolist() == [code_0, code_0]
    assert code_0 not in vectors_of(encoder.transform(X)).tolist()


@pytest.mark.parametrize("fit_transform", [False, True])
def test_the_index_is_kept(fit_transform):
    X, y = make_frame()
    X.index = [f"row {i}" for i in range(N_ROWS)]
    encoder = EmbeddingEncoder(SIZED, cv=2)
    out = encoder.fit_transform(X, y) if fit_transform else encoder.fit(X, y).transform(X)
    assert out.index.tolist() == X.index.tolist()


def test_the_table_given_is_left_as_it_was():
    X, y = make_frame()
    before = X.copy()
    encoder = EmbeddingEncoder(SIZED, cv=2)
    for out in (encoder.fit_transform(X, y), encoder.transform(X)):
        out.loc[:, ["age", "ModelID_0", "state_1"]] = 0.0
    pd.testing.assert_frame_equal(X, before)
    assert encoder.estimator_.embeddings_["ModelID"].abs().max(axis=None) > 0


@pytest.mark.parametrize("fit_transform", [False, True])
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_selects_the_kind_of_frame(container, fit_transform):
    X, y = make_frame()
    expected = EmbeddingEncoder(SIZED, cv=None).fit_transform(X, y)
    encoder = EmbeddingEncoder(SIZED, cv=None).set_output(transform=container)
    out = encoder.fit_transform(X, y) if fit_transform else encoder.fit(X, y).transform(X)
    assert isinstance(out, pd.DataFrame if container == "pandas" else pl.DataFrame)
    assert list(out.columns) == expected.columns.tolist()
    np.testing.assert_array_equal(out["ModelID_1"].to_numpy(), expected["ModelID_1"].to_numpy())


def test_a_polars_table_gives_the_same():
    X, y = make_frame()
    expected = EmbeddingEncoder(SIZED, cv=2).fit_transform(X, y)
    out = EmbeddingEncoder(SIZED, cv=2).fit_transform(pl.from_pandas(X), pl.Series(y))
    pd.testing.assert_frame_equal(out.reset_index(drop=True), expected)


def test_an_array_gives_numbers():
    generator = np.random.default_rng(0)
    X = np.column_stack([generator.integers(0, 5, 100), generator.normal(size=100)])
    encoder = EmbeddingEncoder(TabularRegressor(**SETTINGS, categorical_features=[0], embedding_sizes={"x0": 2}), cv=2)
    out = encoder.fit_transform(X, X[:, 0])
    assert out.columns.tolist() == ["x1", "x0_0", "x0_1"]
    assert {str(dtype) for dtype in out.dtypes} == {"float32"}


# --- Which columns ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "columns"),
    [
        ({}, ["ModelID", "state"]),
        ({"min_levels": 2}, ["ModelID", "state"]),
        ({"min_levels": 3}, ["ModelID"]),
        ({"min_levels": 12}, ["ModelID"]),
        ({"min_levels": 13}, []),
        ({"columns": ["state"]}, ["state"]),
        ({"columns": ["state"], "min_levels": 13}, ["state"]),
        ({"columns": []}, []),
    ],
    ids=str,
)
def test_columns_are_chosen_by_name_or_by_their_levels(chosen, columns):
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED, cv=2, **chosen)
    out = encoder.fit_transform(X, y)
    assert encoder.columns_ == columns
    assert encoder.get_feature_names_out().tolist() == out.columns.tolist() == encoder.transform(X).columns.tolist()
    for name in {"ModelID", "state"} - set(columns):
        pd.testing.assert_series_equal(out[name], encoder.estimator_.encode(X)[name])


@pytest.mark.parametrize("columns", [["nowhere"], ["age"], ["ModelID", "nowhere"]])
def test_columns_that_are_not_categories_raise(columns):
    X, y = make_frame()
    with pytest.raises(ValueError, match=rf"columns names \['{columns[-1]}'\]"):
        EmbeddingEncoder(SIZED, columns=columns).fit(X, y)


def test_columns_must_be_a_list():
    X, y = make_frame()
    with pytest.raises(ValueError, match="'columns' parameter of EmbeddingEncoder must be an array-like.*Got 'state'"):
        EmbeddingEncoder(SIZED, columns="state").fit(X, y)


@pytest.mark.parametrize("fit_transform", [False, True])
def test_a_name_that_is_taken_raises(fit_transform):
    X, y = make_frame()
    X = X.assign(ModelID_1=np.linspace(0, 1, N_ROWS))
    encoder = EmbeddingEncoder(SIZED, cv=2)
    with pytest.raises(ValueError, match="Column 'ModelID_1' has the name of an embedding of 'ModelID'"):
        encoder.fit_transform(X, y) if fit_transform else encoder.fit(X, y).transform(X)


# --- Out of fold -----------------------------------------------------------------------------------------------------


def correlation_with_forest(vectors, y):
    """Correlation of the predictions of a forest with the rows it was fitted to."""
    forest = RandomForestRegressor(20, min_samples_leaf=5, random_state=0)
    return np.corrcoef(forest.fit(vectors, y).predict(vectors), y)[0, 1]


def test_vectors_of_unique_ids_leak_the_target_only_without_folds():
    y = np.random.default_rng(0).normal(size=N_ROWS)
    X = pd.DataFrame({"id": [f"row {i}" for i in range(N_ROWS)]})
    net = clone(NET).set_params(embedding_sizes={"id": 3}, epochs=10)
    leaky = vectors_of(EmbeddingEncoder(net, cv=None).fit_transform(X, y), "id")
    honest = vectors_of(EmbeddingEncoder(net, cv=5).fit_transform(X, y), "id")
    assert correlation_with_forest(leaky, y) > 0.7
    assert correlation_with_forest(honest, y) < 0.4
    # A label that a fold's net has not seen has the vector of code 0, one for each of the five nets.
    assert len(np.unique(honest, axis=0)) <= 5


def test_vectors_of_many_rare_labels_predict_noise_no_better_than_chance_out_of_fold():
    generator = np.random.default_rng(0)
    y = generator.normal(size=300)
    X = pd.DataFrame({"id": [f"label {i}" for i in generator.integers(0, 150, 300)]})
    net = clone(NET).set_params(embedding_sizes={"id": 2}, epochs=20)
    forest = RandomForestRegressor(20, min_samples_leaf=5, random_state=0)

    def score(cv):
        vectors = vectors_of(EmbeddingEncoder(net, cv=cv).fit_transform(X, y), "id")
        return np.corrcoef(cross_val_predict(forest, vectors, y, cv=5), y)[0, 1]

    assert score(None) > 0.4
    assert score(5) < 0.2


def test_vectors_of_labels_that_matter_predict_out_of_fold():
    X, y = make_frame(n_rows=400)
    out = EmbeddingEncoder(SIZED, cv=3).fit_transform(X, y)
    scores = cross_val_score(RandomForestRegressor(20, random_state=0), out.to_numpy(np.float32), y, cv=3)
    assert scores.min() > 0.8


def test_vectors_out_of_fold_lie_near_those_of_the_net_of_all_rows():
    X, y = make_frame(n_rows=400)
    encoder = EmbeddingEncoder(SIZED, cv=4)
    out, table = encoder.fit_transform(X, y), encoder.estimator_.embeddings_["ModelID"].loc[X["ModelID"]].to_numpy()
    gaps = np.linalg.norm(vectors_of(out) - table, axis=1)
    spread = np.linalg.norm(table - table.mean(axis=0), axis=1)
    assert gaps.mean() < 0.6 * spread.mean()


def test_without_folds_fit_transform_is_fit_and_transform():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED, cv=None)
    pd.testing.assert_frame_equal(encoder.fit_transform(X, y), clone(encoder).fit(X, y).transform(X))


def test_fit_transform_leaves_the_same_encoder_as_fit():
    X, y = make_frame()
    encoder, other = EmbeddingEncoder(SIZED, cv=3), EmbeddingEncoder(SIZED, cv=3).fit(X, y)
    encoder.fit_transform(X, y)
    pd.testing.assert_frame_equal(encoder.transform(X), other.transform(X))


def test_columns_that_are_not_replaced_are_the_same_out_of_fold():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED, cv=3)
    out = encoder.fit_transform(X, y)
    pd.testing.assert_frame_equal(out[["age", "age_na"]], encoder.transform(X)[["age", "age_na"]])


def test_folds_may_be_a_splitter():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED, cv=KFold(2))
    out = encoder.fit_transform(X, y)
    encoded, half = encoder.estimator_.encode(X), np.arange(N_ROWS) < 100
    net = clone(SIZED).fit(encoded[half], y[half])
    # The vectors are those of the net of the other half, shifted, rotated and scaled: all distances by one factor.
    raw = net._embedding_table("ModelID").detach().numpy()[encoded["ModelID"].cat.codes[~half]]
    turned = vectors_of(out)[~half]
    distances, stretched = (np.linalg.norm(v[:, None] - v, axis=2) for v in (raw, turned))
    np.testing.assert_allclose(stretched, distances * stretched.sum() / distances.sum(), atol=1e-5)


@pytest.mark.parametrize("cv", [5, np.int64(5)], ids=["int", "numpy's int"])
def test_folds_are_random_if_only_their_number_is_given(cv):
    X, y = make_frame()
    X = X.sort_values("ModelID").reset_index(drop=True)
    y = y[make_frame()[0].sort_values("ModelID").index]
    out = EmbeddingEncoder(SIZED, cv=cv).fit_transform(X, y)
    # In folds of adjacent rows nearly all labels would be unseen, and there would be few distinct vectors.
    assert len(np.unique(vectors_of(out), axis=0)) > 40


def test_a_net_that_validates_by_date_is_fitted_out_of_fold():
    X, y = make_frame()
    X["sold"] = pd.Timestamp("2011-01-01") + pd.to_timedelta(np.random.default_rng(3).permutation(N_ROWS), "D")
    net = clone(SIZED).set_params(validation_fraction=TimeSplit(1, column="sold", test_size=40))
    out = EmbeddingEncoder(net, cv=2).fit_transform(X, y)
    assert np.isfinite(vectors_of(out)).all()


# --- Targets and weights ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_a_target_is_required(method):
    X, _ = make_frame()
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        getattr(EmbeddingEncoder(SIZED), method)(X, None)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (np.linspace(0, 1, 40), TabularRegressor),
        (np.arange(40) % 3, TabularRegressor),
        (np.array(["a", "b", "c", "d"] * 10), TabularClassifier),
        (np.arange(40) % 2, TabularClassifier),
        (np.arange(40) % 2 == 0, TabularClassifier),
    ],
    ids=["floats", "ints", "text", "two numbers", "bool"],
)
def test_the_target_selects_the_default_net(monkeypatch, target, kind):
    picked = []
    X = pd.DataFrame({"state": ["Ohio", "Utah"] * 20})
    fitted = clone(NET).fit(X, np.arange(40))
    for net in (TabularRegressor, TabularClassifier):
        monkeypatch.setattr(net, "fit", lambda self, *_: picked.append(self) or fitted)
    EmbeddingEncoder(random_state=7, cv=None).fit(X, target)
    assert type(picked[0]) is kind
    assert picked[0].random_state == 7


def test_a_classifier_gives_vectors_out_of_fold():
    X, y = make_frame(n_rows=400)
    labels = np.where(y > np.median(y), "dear", "cheap")
    net = TabularClassifier(**SETTINGS, embedding_sizes={"ModelID": 3})
    out = EmbeddingEncoder(net, cv=3).fit_transform(X, labels)
    scores = cross_val_score(KNeighborsRegressor(), vectors_of(out), labels == "dear", cv=3)
    assert scores.min() > 0.5


def test_rows_of_weight_0_are_left_out():
    X, y = make_frame()
    weights = np.where(X["ModelID"] == "M3", 0.0, 1.0)
    weighted, removed = EmbeddingEncoder(SIZED), EmbeddingEncoder(SIZED)
    weighted.fit(X, y, sample_weight=weights)
    removed.fit(X[weights > 0], y[weights > 0])
    pd.testing.assert_frame_equal(weighted.transform(X), removed.transform(X))


@pytest.mark.parametrize("whole", [True, False])
def test_weights_count_out_of_fold_too(whole):
    X, y = make_frame()
    generator = np.random.default_rng(0)
    weights = generator.integers(1, 4, N_ROWS) if whole else generator.uniform(0.1, 2, N_ROWS)
    encoder = EmbeddingEncoder(SIZED, cv=2)
    weighted, plain = encoder.fit_transform(X, y, weights), EmbeddingEncoder(SIZED, cv=2).fit_transform(X, y)
    assert np.isfinite(vectors_of(weighted)).all()
    assert abs(vectors_of(weighted) - vectors_of(plain)).max() > 1e-3


# --- With other models -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [KNeighborsRegressor(), RandomForestRegressor(20, random_state=0), ForestRegressor(20, n_jobs=1, random_state=0)],
    ids=lambda model: type(model).__name__,
)
def test_other_models_learn_from_the_vectors_in_a_pipeline(model):
    X, y = make_frame(n_rows=400)
    net = clone(SIZED).set_params(epochs=20)
    pipeline = make_pipeline(EmbeddingEncoder(net, cv=3), model).fit(X[:300], y[:300])
    assert pipeline.score(X[300:], y[300:]) > 0.85


def test_a_pipeline_trains_on_vectors_out_of_fold_and_predicts_from_those_of_all_rows():
    X, y = make_frame()
    pipeline = make_pipeline(EmbeddingEncoder(SIZED, cv=3), KNeighborsRegressor(1)).fit(X, y)
    np.testing.assert_array_equal(pipeline[1]._fit_X, pipeline[0].fit_transform(X, y).to_numpy(np.float32))
    expected = pipeline[1].predict(pipeline[0].transform(X).to_numpy(np.float32))
    np.testing.assert_array_equal(pipeline.predict(X), expected)


def test_other_estimators_raise():
    X, y = make_frame()
    with pytest.raises(TypeError, match=r"TabularRegressor or TabularClassifier; got RandomForestRegressor\(\)"):
        EmbeddingEncoder(RandomForestRegressor()).fit(X, y)


def test_an_unfitted_encoder_raises():
    X, _ = make_frame()
    for ask in (lambda encoder: encoder.transform(X), lambda encoder: encoder.get_feature_names_out()):
        with pytest.raises(NotFittedError):
            ask(EmbeddingEncoder(SIZED))


@pytest.mark.parametrize(
    ("target", "kind"),
    [(lambda y: y.astype(object), TabularRegressor), (lambda y: (y > y.mean()).astype(object), TabularClassifier)],
    ids=["numbers", "booleans"],
)
def test_the_values_of_an_object_array_select_the_net(target, kind):
    y = target(np.asarray(make_frame()[1]))
    assert type(EmbeddingEncoder()._make_net(y)) is kind


def test_rotated_scaled_and_shifted_vectors_are_aligned_exactly():
    X, y = make_frame()
    encoder = EmbeddingEncoder(SIZED).fit(X, y)
    onto = encoder.estimator_._embedding_table("ModelID").detach().numpy()
    other = copy.deepcopy(encoder.estimator_)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    with torch.no_grad():
        other._embedding_table("ModelID").copy_(torch.from_numpy(0.3 * onto @ turn + 7.0))
    codes = encoder.estimator_.encode(X)["ModelID"].cat.codes.to_numpy()
    aligned = encoder._aligned(other, "ModelID", codes)
    np.testing.assert_allclose(aligned[1:], onto[1:], atol=1e-4)  # code 0 is in no row


# --- Nets that are fitted already ------------------------------------------------------------------------------------


def test_a_fitted_net_is_taken_as_it_is():
    X, y = make_frame(n_rows=80)
    net = clone(SIZED).set_params(epochs=1).fit(X, y)
    expected = EmbeddingEncoder(clone(SIZED).set_params(epochs=1)).fit(X, y).transform(X)
    for estimator in (net, FrozenEstimator(net)):
        encoder = EmbeddingEncoder(estimator, cv="prefit")
        pd.testing.assert_frame_equal(encoder.fit_transform(X, y), expected)
        pd.testing.assert_frame_equal(encoder.fit(X).transform(X), expected)
        assert encoder.estimator_ is net
    pd.testing.assert_frame_equal(clone(encoder).fit_transform(X), expected)
    with pytest.raises(NotFittedError):
        clone(EmbeddingEncoder(net, cv="prefit")).fit(X)
    with pytest.raises(ValueError, match="cv='prefit' requires a fitted estimator"):
        EmbeddingEncoder(cv="prefit").fit(X)
    with pytest.raises(ValueError, match=r"Column\(s\) \['age'\] seen in fit are missing"):
        encoder.fit(X.drop(columns="age"))
