"""Every transformer passes the checks of scikit-learn and shared checks of this package."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec import Categorify, DateParts, ElapsedSince, FillMissing, Normalize, TabularPreprocessor


@parametrize_with_checks(
    [
        DateParts(),
        DateParts(time=True, drop=False),
        Categorify(),
        Categorify([0], max_categories=3),
        ElapsedSince(),
        FillMissing(),
        FillMissing("most_frequent", add_indicator=False),
        Normalize(),
        Normalize("quantile"),
        TabularPreprocessor(),
        TabularPreprocessor("net"),
        TabularPreprocessor("net", normalize="quantile", categorical_columns=[0]),
    ]
)
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def sales(n_rows=12):
    """A table with every kind of column, most of them with missing values."""
    row = np.arange(n_rows)
    return pd.DataFrame(
        {
            "saledate": pd.Timestamp("2011-12-30") + pd.to_timedelta(row % 5, unit="D"),
            "state": np.where(row % 4 == 3, None, np.array(["Ohio", "Texas", "Utah"], dtype=object)[row % 3]),
            "hours": np.where(row % 5 == 2, np.nan, row * 10.0),
            "year": 1990 + row % 7,
            "leased": row % 2 == 0,
        }
    )


TRANSFORMERS = [
    DateParts(),
    DateParts(["saledate"], time=True, drop=False),
    Categorify(),
    Categorify(["state", "year"], max_categories=3),
    ElapsedSince(["leased"], date="saledate", group="state"),
    FillMissing(),
    FillMissing("most_frequent", columns=["hours"]),
    Normalize(),
    Normalize("quantile", columns=["hours"]),
    TabularPreprocessor(),
    TabularPreprocessor("net", normalize="quantile"),
]
every_transformer = pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)


@every_transformer
def test_fit_transform_is_fit_then_transform(transformer):
    assert_frame_equal(clone(transformer).fit_transform(sales()), clone(transformer).fit(sales()).transform(sales()))


@every_transformer
def test_the_names_out_are_the_columns(transformer):
    out = clone(transformer).fit(sales())
    assert out.get_feature_names_out().tolist() == out.transform(sales()).columns.tolist()


@every_transformer
def test_a_row_alone_means_what_it_means_in_its_batch(transformer):
    fitted = clone(transformer).fit(sales())
    batch = fitted.transform(sales())
    for row in range(len(batch)):
        alone = fitted.transform(sales().iloc[[row]])
        assert_frame_equal(alone, batch.iloc[[row]], check_dtype=False, check_categorical=False)


@every_transformer
def test_columns_are_matched_by_name_and_others_ignored(transformer):
    fitted = clone(transformer).fit(sales())
    turned = sales().iloc[:, ::-1].assign(more=1.0)
    assert_frame_equal(fitted.transform(turned), fitted.transform(sales()))


@every_transformer
def test_a_missing_column_is_refused_by_name(transformer):
    fitted = clone(transformer).fit(sales())
    with pytest.raises(ValueError, match="'hours'.*missing"):
        fitted.transform(sales().drop(columns="hours"))


@every_transformer
@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "arrow"])
def test_polars_and_arrow_tables_mean_the_same(transformer, convert):
    expected = clone(transformer).fit(sales()).transform(sales())
    got = clone(transformer).fit(convert(sales())).transform(convert(sales()))
    assert_frame_equal(got, expected, check_dtype=False, check_categorical=False)


@every_transformer
def test_pandas_types_mean_the_same(transformer):
    fitted = clone(transformer).fit(sales())
    changed = sales().convert_dtypes().assign(state=sales()["state"].astype("category"))
    expected = fitted.transform(sales())
    assert_frame_equal(fitted.transform(changed).astype(expected.dtypes), expected)


@every_transformer
def test_the_callers_frame_is_untouched_even_when_the_output_is_written_to(transformer):
    given, untouched = sales(), sales()
    out = clone(transformer).fit(given).transform(given)
    for name in out.columns:
        out.loc[0, name] = out[name].iloc[1]
    assert_frame_equal(given, untouched)


@every_transformer
def test_the_index_is_kept_even_if_its_labels_repeat(transformer):
    repeated = sales().set_axis([7] * 6 + [3] * 6)
    out = clone(transformer).fit(repeated).transform(repeated)
    assert out.index.tolist() == repeated.index.tolist()
    assert_frame_equal(out.reset_index(drop=True), clone(transformer).fit_transform(sales()))


@every_transformer
def test_it_survives_pickling(transformer):
    fitted = clone(transformer).fit(sales())
    assert_frame_equal(pickle.loads(pickle.dumps(fitted)).transform(sales()), fitted.transform(sales()))


@every_transformer
def test_set_output_gives_pandas_and_polars_frames(transformer):
    expected = clone(transformer).fit_transform(sales())
    assert isinstance(clone(transformer).set_output(transform="pandas").fit_transform(sales()), pd.DataFrame)
    got = clone(transformer).set_output(transform="polars").fit_transform(sales())
    assert isinstance(got, pl.DataFrame)
    assert got.columns == expected.columns.tolist()


@every_transformer
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (sales().iloc[:0], r"0 sample\(s\)"),
        (sales()[[]], r"0 feature\(s\)"),
        (sales().set_axis(["a", "b", "a", "c", "d"], axis=1), r"\['a'\] occur more than once"),
        (sales().assign(hours=np.inf), "Column 'hours' holds inf in row 0"),
        (pd.concat({"all": sales()}, axis=1), "2 levels.*give each column one name"),
    ],
)
def test_invalid_tables_are_rejected(transformer, table, message):
    with pytest.raises(ValueError, match=message):
        clone(transformer).fit(table)


@every_transformer
def test_chunks_of_any_size_teach_the_same_as_the_whole(transformer):
    whole = clone(transformer).fit(sales())
    chunked = clone(transformer)
    for start, stop in ((0, 4), (4, 9), (9, 12)):
        chunked.partial_fit(sales().iloc[start:stop])
    assert_frame_equal(chunked.transform(sales()), whole.transform(sales()))


@every_transformer
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failed_fit_leaves_the_former_one(transformer, method):
    fitted, expected = (clone(transformer).fit(sales()) for _ in range(2))
    unreadable = [[1]] * 12
    with pytest.raises((TypeError, ValueError)):
        getattr(fitted, method)(sales().assign(saledate="soon", state=unreadable, hours="many", leased=unreadable))
    assert vars(fitted).keys() == vars(expected).keys()
    more = sales().assign(state="Iowa", hours=7.0)
    assert_frame_equal(fitted.partial_fit(more).transform(sales()), expected.partial_fit(more).transform(sales()))


def test_warnings_point_at_the_line_of_the_caller():
    fitted = FillMissing().fit(sales()[["year", "hours"]])
    composed = TabularPreprocessor().fit(sales()[["year", "hours"]])
    gap = pd.DataFrame({"year": [np.nan], "hours": [1.0]})
    for transformer in (fitted, composed):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            transformer.transform(gap)
        assert [warning.filename for warning in caught] == [__file__]
