"""Fits to chunks: what is equal to a fit to the whole table, and which rows are drawn where it is not."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import tabrec
from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    Categorify,
    DateParts,
    FillMissing,
    ForestClassifier,
    ForestRegressor,
    Normalize,
    TabularPreprocessor,
)
from tabrec.datasets import make_auctions
from tabrec.scale import FileChunks, FrameChunks

COLUMNS = [
    *("SalePrice", "MachineID", "auctioneerID", "YearMade", "MachineHoursCurrentMeter", "UsageBand", "saledate"),
    *("fiModelDesc", "ProductSize", "state", "ProductGroup", "Enclosure"),
]
SALES = make_auctions(1200, random_state=0)[COLUMNS]
SALES = SALES.astype(dict.fromkeys(SALES.select_dtypes(exclude=["number", "datetime", "bool"]).columns, "category"))
FEATURES = SALES.drop(columns="SalePrice")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sales")
    for position, start in enumerate((0, 100, 700)):
        part = SALES[start : [100, 700, None][position]]
        part.to_parquet(path / f"{position}.parquet", row_group_size=150, index=False)
    return path


def in_chunks(folder, kind, **options):
    if kind == "files":
        return FileChunks(folder, chunk_rows=190, **options)
    return FrameChunks([SALES[:5], SALES[5:1000], SALES[1000:]], **options)


KINDS = pytest.mark.parametrize("kind", ["files", "frames"])
PREPROCESSORS = [
    TabularPreprocessor(),
    TabularPreprocessor("net"),
    TabularPreprocessor("net", normalize="quantile", min_frequency=3),
    TabularPreprocessor(max_categories=5, fill_strategy="most_frequent"),
]


@KINDS
@pytest.mark.parametrize("preprocessor", PREPROCESSORS)
def test_a_preprocessor_learns_from_chunks_what_it_learns_from_the_table(folder, kind, preprocessor):
    whole = clone(preprocessor).fit(FEATURES)
    chunked = clone(preprocessor).fit(in_chunks(folder, kind).drop(["SalePrice"]))
    assert chunked.kinds_ == whole.kinds_
    assert chunked.categories_ == whole.categories_
    assert chunked.fill_missing_.fill_values_ == whole.fill_missing_.fill_values_
    assert chunked.fill_missing_.indicators_ == whole.fill_missing_.indicators_
    if whole.normalize_ is not None:
        for name in ("means_", "stds_"):
            expected = getattr(whole.normalize_, name)
            assert getattr(chunked.normalize_, name) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert_frame_equal(chunked.transform(FEATURES), whole.transform(FEATURES), rtol=1e-6, check_exact=False)


@pytest.mark.parametrize("transformer", [Categorify(), FillMissing(), Normalize(), DateParts()])
def test_every_transformer_learns_and_transforms_chunks(folder, transformer):
    chunks = FrameChunks([FEATURES[:600], FEATURES[600:]])
    expected = clone(transformer).fit_transform(FEATURES)
    found = clone(transformer).fit_transform(chunks)
    assert_frame_equal(found.head(2_000), expected, rtol=1e-6, check_exact=False)


def test_a_second_fit_forgets_the_first(folder):
    fitted = FillMissing(["x"][0:0] or "median").fit(FrameChunks([pd.DataFrame({"x": [1.0, None, 3.0]})]))
    fitted.fit(FrameChunks([pd.DataFrame({"y": [5.0, 7.0]})]))
    assert fitted.fill_values_ == {"y": 6.0}
    assert fitted.indicators_ == []


def test_kinds_are_those_of_the_whole_table_and_not_of_the_first_chunk():
    table = pd.DataFrame(
        {
            "few": [*[1] * 20, *range(30)],  # 1 alone in the first chunk, 30 values in all
            "gaps": [*[None] * 20, *np.linspace(0, 1, 30)],
            "flag": pd.Series([*[True] * 20, *[None, False] * 15], dtype="boolean"),
            "time": [*[pd.Timestamp("2020-01-01")] * 20, *[pd.Timestamp("2020-01-02 10:30")] * 30],
            "text": [*["1"] * 20, *["n/a", "2.5", "7"] * 10],
        }
    )
    chunks = FrameChunks([table[:20], table[20:30], table[30:]])
    with pytest.warns(UserWarning, match="Text columns were converted"):
        whole = TabularPreprocessor("net").fit(table)
    with pytest.warns(UserWarning, match="Text columns were converted"):
        chunked = TabularPreprocessor("net").fit(chunks)
    assert chunked.kinds_ == whole.kinds_ == {
        "few": "continuous", "gaps": "continuous", "flag": "categorical", "time": "date", "text": "continuous",
    }  # fmt: skip
    assert "timeHour" in chunked.get_feature_names_out()
    assert_frame_equal(chunked.transform(table), whole.transform(table), rtol=1e-6, check_exact=False)


def test_a_column_of_labels_in_one_chunk_and_numbers_in_another_is_named():
    chunks = FrameChunks([pd.DataFrame({"x": ["a", "b"]}), pd.DataFrame({"x": [1, 2]})])
    with pytest.raises(ValueError, match="Column 'x' holds labels such as 'a' in one part .* numbers such as 1"):
        TabularPreprocessor().fit(chunks)


MODELS = [
    ForestRegressor(5, random_state=0, n_jobs=1, high_cardinality=20),
    ForestRegressor(3, random_state=0, n_jobs=1, bootstrap=False),
    BoostingRegressor(max_iter=10, random_state=0, high_cardinality=20),
]


@pytest.mark.filterwarnings("ignore:.*were drawn by every tree")
@KINDS
@pytest.mark.parametrize("model", MODELS)
def test_regressors_are_those_of_the_whole_table_where_all_rows_are_drawn(folder, kind, model):
    chunks = in_chunks(folder, kind)
    whole = clone(model).fit(FEATURES, np.log(SALES["SalePrice"]))
    chunked = clone(model).fit(chunks, "log(SalePrice)")
    predicted = chunked.predict(chunks)
    assert np.array_equal(predicted.head(2_000)["prediction"], whole.predict(FEATURES))
    assert np.array_equal(chunked.predict(FEATURES), whole.predict(FEATURES))
    assert predicted.n_rows == 1200
    assert getattr(chunked, "oob_score_", None) == getattr(whole, "oob_score_", None)
    assert chunked.input_to_outputs_ == whole.input_to_outputs_
    assert chunked.sample_rows_.tolist() == list(range(1200))


@pytest.mark.filterwarnings("ignore:.*were drawn by every tree")
@KINDS
@pytest.mark.parametrize("model", [ForestClassifier(5, random_state=0), BoostingClassifier(max_iter=5, random_state=0)])
def test_classifiers_are_those_of_the_whole_table(folder, kind, model):
    target = SALES["ProductGroup"].astype(object)
    features = SALES.drop(columns="ProductGroup")
    chunks = in_chunks(folder, kind)
    whole, chunked = clone(model).fit(features, target), clone(model).fit(chunks, "ProductGroup")
    probabilities = chunked.predict_proba(chunks).head(2_000)
    assert probabilities.columns.tolist() == whole.classes_.tolist()
    assert np.array_equal(probabilities, whole.predict_proba(features))
    assert chunked.predict(chunks).head(2_000)["prediction"].tolist() == whole.predict(features).tolist()


@pytest.mark.filterwarnings("ignore:.*were drawn by every tree")
def test_trees_are_those_of_a_forest_that_is_given_the_drawn_rows(folder):
    model = ForestRegressor(4, max_samples=100, random_state=3, n_jobs=1, oob_score=True)
    chunked = clone(model).fit(in_chunks(folder, "files"), "SalePrice")
    assert len(chunked.sample_rows_) == len(set(chunked.sample_rows_.tolist())) == 400
    drawn = in_chunks(folder, "frames").take(chunked.sample_rows_)
    encoded = chunked.preprocessor_.transform(drawn)
    expected = clone(model).fit(encoded, drawn["SalePrice"])
    for tree, other in zip(chunked.estimators_, expected.estimators_, strict=True):
        assert np.array_equal(tree.tree_.threshold, other.tree_.threshold)
        assert np.array_equal(tree.tree_.value, other.tree_.value)
    assert chunked.oob_score_ == expected.oob_score_
    assert np.array_equal(chunked.oob_target_, drawn["SalePrice"])
    # Medians and labels are those of all rows, whichever are drawn.
    assert (
        chunked.preprocessor_.fill_missing_.fill_values_
        == TabularPreprocessor().fit(FEATURES).fill_missing_.fill_values_
    )


def test_drawn_rows_depend_on_the_seed_and_not_on_the_chunks(folder):
    model = ForestRegressor(2, max_samples=50, random_state=1, oob_score=False)
    first = clone(model).fit(in_chunks(folder, "files"), "SalePrice").sample_rows_
    second = clone(model).fit(in_chunks(folder, "frames"), "SalePrice").sample_rows_
    third = clone(model).set_params(random_state=2).fit(in_chunks(folder, "files"), "SalePrice").sample_rows_
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_memory_limits_the_drawn_rows_with_a_warning(folder):
    with pytest.warns(UserWarning, match=r"grows its trees on \d+ rows, drawn from all 1,200"):
        model = ForestRegressor(3, random_state=0, oob_score=False).fit(
            in_chunks(folder, "files", memory="100KB"), "SalePrice"
        )
    assert 50 < len(model.sample_rows_) < 400


def test_the_explanations_of_a_forest_take_its_drawn_rows(folder):
    from tabrec.interpret import feature_importance

    model = ForestRegressor(10, max_samples=60, random_state=0).fit(in_chunks(folder, "files"), "SalePrice")
    drawn = in_chunks(folder, "files").take(model.sample_rows_)
    importance = feature_importance(model, drawn.drop(columns="SalePrice"), drawn["SalePrice"])
    assert set(importance.table["source"].dropna()) == set(FEATURES)


def test_a_fitted_forest_is_saved_with_the_positions_of_its_rows(folder, tmp_path):
    chunks = in_chunks(folder, "files")
    model = ForestRegressor(3, max_samples=60, random_state=0, oob_score=False).fit(chunks, "SalePrice")
    tabrec.save(model, tmp_path / "model")
    loaded = tabrec.load(tmp_path / "model")
    assert np.array_equal(loaded.sample_rows_, model.sample_rows_)
    assert np.array_equal(loaded.predict(FEATURES), model.predict(FEATURES))


def test_mistakes_are_named_and_leave_the_estimator_as_it_was(folder):
    chunks = in_chunks(folder, "files")
    model = ForestRegressor(2, random_state=0, oob_score=False).fit(FEATURES[:100], SALES["SalePrice"][:100])
    before = dict(vars(model))
    for y, error, message in (
        ("Price", ValueError, "no column 'Price' for the target; the nearest to 'Price' is 'SalePrice'"),
        ("sin(SalePrice)", ValueError, "applies 'sin', but the functions are log, log1p, sqrt"),
        ("log(Price)", ValueError, "no column 'Price' for the target"),
        (SALES["SalePrice"], TypeError, "y must be the name of a column"),
        (None, TypeError, "y must be the name of a column"),
        ("state", ValueError, "The target column 'state' holds '.*', but a regression needs numbers"),
        (
            "auctioneerID",
            ValueError,
            r"'auctioneerID' is missing in \d+ of \d+ rows .in .*0\.parquet.*: the first is row",
        ),
    ):
        with pytest.raises(error, match=message):
            model.fit(chunks, y)
    with pytest.raises(ValueError, match="takes sample_weight with tables in memory only"):
        model.fit(chunks, "SalePrice", sample_weight=np.ones(1200))
    with pytest.raises(ValueError, match="warm_start"):
        clone(model).set_params(warm_start=True).fit(chunks, "SalePrice")
    with pytest.raises(TypeError, match="has no partial_fit"):
        clone(model).set_params(preprocessor=make_pipeline(Categorify())).fit(chunks, "SalePrice")
    assert vars(model) == before


def test_a_logarithm_of_what_is_not_positive_is_named(folder):
    table = SALES.assign(SalePrice=SALES["SalePrice"].where(SALES.index != 700, 0.0))
    with pytest.raises(TypeError, match="y must be the name of a column of the chunks"):
        ForestRegressor().fit(FrameChunks([SALES]))
    with pytest.raises(ValueError, match=r"holds 0.0, of which log is not a number: the first is row 700"):
        ForestRegressor(2).fit(FrameChunks([table[:400], table[400:]]), "log(SalePrice)")


def test_a_class_of_which_no_row_is_drawn_is_named():
    table = pd.DataFrame({"x": range(1000), "y": ["rare", *["a", "b"] * 499, "a"]})
    with pytest.raises(ValueError, match="No row of the class 'rare' was drawn, which has 1 of 1,000 rows"):
        ForestClassifier(2, max_samples=5, random_state=0).fit(FrameChunks([table]), "y")


def test_methods_that_need_a_table_in_memory_say_so(folder):
    chunks = in_chunks(folder, "files")
    model = ForestRegressor(2, oob_score=False).fit(chunks, "SalePrice")
    with pytest.raises(TypeError, match=r"needs one in memory: pass rows of it, as chunks\.sample"):
        model.score(chunks, "SalePrice")
    assert np.array_equal(model.apply(chunks).head(2_000), model.apply(FEATURES))
