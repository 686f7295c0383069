"""`Categorify`: a code depends only on its label, and 0 stands for unseen and missing labels."""

import datetime
import warnings
from collections import deque
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabrec import Categorify


def table(values, dtype=None):
    return pd.DataFrame({"x": pd.Series(values, dtype=dtype)})


def codes(fitted, values, dtype=None):
    return fitted.transform(table(values, dtype))["x"].tolist()


def labels(values, dtype=None, **params):
    return Categorify(["x"], **params).fit(table(values, dtype)).categories_["x"]


def test_labels_are_sorted_and_code_0_is_missing_or_unseen():
    fitted = Categorify().fit(table(["Texas", "Ohio", None, "Texas"]))
    assert fitted.categories_ == {"x": ["#na#", "Ohio", "Texas"]}
    encoded = fitted.transform(table(["Texas", "Utah", None, "Ohio"]))["x"]
    assert encoded.tolist() == [2, 0, 0, 1]
    assert encoded.cat.categories.tolist() == [0, 1, 2]


def test_text_booleans_categories_and_mixed_objects_are_encoded_and_all_else_passes():
    frame = pd.DataFrame(
        {
            "text": ["a", "b"],
            "flag": [True, False],
            "category": pd.Categorical([3, 1]),
            "mixed": pd.Series([1, "a"], dtype=object),
            "number": [1.5, np.nan],
            "whole": [1, 2],
            "day": pd.to_datetime(["2011-01-01", None]),
        }
    )
    fitted = Categorify().fit(frame)
    assert list(fitted.categories_) == ["text", "flag", "category", "mixed"]
    pd.testing.assert_frame_equal(
        fitted.transform(frame)[["number", "whole", "day"]], frame[["number", "whole", "day"]]
    )


def test_numbers_are_encoded_if_named():
    assert labels([1996.0, np.nan, 2004.0]) == ["#na#", 1996, 2004]
    assert labels([0.5, 2.0]) == ["#na#", 0.5, 2]


@pytest.mark.parametrize("values", [[1, 2], [1.0, 2.0], [Decimal(1), Decimal(2)], [np.int8(1), np.float32(2)]])
def test_a_number_is_the_same_label_in_every_type(values):
    fitted = Categorify(["x"]).fit(table([2, 1, 3]))
    assert codes(fitted, values, object) == [1, 2]
    for dtype in ("int64", "float64", "float32", "Int64", "Float64", "uint8", "int64[pyarrow]", "category"):
        assert codes(fitted, [1, 2], dtype) == [1, 2]
        assert codes(fitted, [1]) == [1]


def test_float_labels_survive_as_integers_alone_and_as_float32():
    fitted = Categorify(["x"]).fit(table([0.1, 3.0, np.nan]))
    assert codes(fitted, [3]) == [2]
    assert codes(fitted, [0.1, 3.0], "float32") == [1, 2]


def test_large_ids_that_float64_cannot_tell_apart_keep_codes_of_their_own():
    large = 2**53
    fitted = Categorify(["x"]).fit(table([large, large + 1]))
    assert codes(fitted, [large + 1, None, large], "Int64") == [2, 0, 1]
    assert codes(fitted, [large + 1, None, large], object) == [2, 0, 1]


def test_true_and_1_are_one_label_but_text_is_another():
    fitted = Categorify().fit(table([True, "1", 1, 2.5], object))
    assert fitted.categories_["x"] == ["#na#", True, 2.5, "1"]
    assert codes(fitted, [1, "1", True, 1.0, "True"], object) == [1, 3, 1, 1, 0]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, float("nan"), Decimal("NaN")])
@pytest.mark.parametrize("times", [1, 100])
def test_every_kind_of_gap_is_code_0(missing, times):
    fitted = Categorify().fit(table(["a", missing], object))
    assert fitted.categories_["x"] == ["#na#", "a"]
    assert codes(fitted, ["a", missing] * times, object) == [1, 0] * times


@pytest.mark.parametrize("dtype", [bool, "boolean", "bool[pyarrow]", "category", object])
def test_booleans_missing_only_after_fit_are_code_0(dtype):
    fitted = Categorify().fit(table([True, False, True], dtype))
    assert fitted.categories_["x"] == ["#na#", False, True]
    for later in ("boolean", "bool[pyarrow]", object, "category"):
        assert codes(fitted, [None, True, False], later) == [0, 2, 1]


@pytest.mark.parametrize("dtype", [object, "str", "string", pd.ArrowDtype(pa.large_string()), "category"])
@pytest.mark.parametrize("later", [object, "str", "string", pd.ArrowDtype(pa.string()), "category"])
def test_text_is_the_same_in_every_type(dtype, later):
    fitted = Categorify().fit(table(["b", None, "a"], dtype))
    assert fitted.categories_["x"] == ["#na#", "a", "b"]
    assert codes(fitted, ["a", "c", None, "b"], later) == [1, 0, 0, 2]
    assert codes(fitted, ["a", "c", None, "b"] * 50, later) == [1, 0, 0, 2] * 50


@pytest.mark.parametrize("categories", [["a", "b", "c"], ["c", "b", "a"], ["b", "a"], ["z", "c", "a", "b", "y"]])
def test_the_categories_of_a_category_column_may_be_permuted_fewer_or_more(categories):
    fitted = Categorify().fit(table(pd.Categorical(["a", "b", "c"])))
    later = pd.Categorical(["b", "a", None], categories=categories)
    assert codes(fitted, later) == [2, 1, 0]


def test_categories_that_no_row_has_are_neither_learned_nor_looked_at():
    assert labels(pd.Categorical(["b"], categories=["a", "b"])) == ["#na#", "b"]
    assert labels(pd.Categorical([None, None])) == ["#na#"]
    fitted = Categorify().fit(table(["a", "b"]))
    assert codes(fitted, pd.Categorical(["b"], categories=["b", 7])) == [2]


def test_an_empty_category_column_and_one_of_gaps_only_give_code_0_ever_after():
    for nothing in (pd.Categorical([None]), [None]):
        fitted = Categorify(["x"]).fit(table(nothing))
        assert codes(fitted, ["a"]) == [0]
        assert codes(fitted, [5]) == [0]


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "arrow"])
def test_polars_and_arrow_categories_are_matched_by_label(convert):
    fitted = Categorify().fit(table(pd.Categorical(["b", "a"], categories=["b", "a"])))
    later = convert(table(pd.Categorical(["a", "c", None, "b"])))
    assert fitted.transform(later)["x"].tolist() == [1, 0, 0, 2]


def test_intervals_of_cut_are_levels_in_their_order():
    binned = pd.Series(pd.cut([1, 12, 5], [0, 3, 10, 20]))
    fitted = Categorify().fit(table(binned))
    assert codes(fitted, binned) == [1, 3, 2]
    assert codes(fitted, binned.astype(object)) == [1, 3, 2]


@pytest.mark.parametrize(
    ("fitted_on", "later", "message"),
    [
        (["a"], [1], "'x' held text in fit, but now holds the number 1; give it the same type"),
        ([1], ["1"], "'x' held number in fit, but now holds the text '1'"),
        (["a"], [True], "now holds the boolean True"),
        (["a"], [datetime.time(9)], "now holds the time"),
        (["a"], pd.to_datetime(["2011-01-01"]), "held labels in fit, but now holds dates such as 2011-01-01"),
        (["a"], pd.to_timedelta(["1D"]), r"now holds the number 86400"),
    ],
)
def test_labels_of_another_kind_are_refused_by_name_and_value(fitted_on, later, message):
    fitted = Categorify(["x"]).fit(table(fitted_on))
    with pytest.raises(ValueError, match=message):
        fitted.transform(table(later))


def test_a_column_without_values_may_have_any_type_after_fit():
    fitted = Categorify().fit(table(["a"]))
    for nothing in ([np.nan], [None], pd.to_datetime([None]), pd.array([pd.NA], dtype="Int64")):
        assert codes(fitted, nothing) == [0]


def test_dates_are_referred_to_date_parts():
    with pytest.raises(ValueError, match="Column 'x' holds dates such as 2011-01-01 00:00:00; use DateParts"):
        labels(pd.to_datetime(["2011-01-01"]))
    assert labels(pd.to_datetime([None])) == ["#na#"]


@pytest.mark.parametrize(
    ("in_order", "other"),
    [
        (["Mon", "Tue", "Wed", "Sun"], "holiday"),
        (["lundi", "mardi", "vendredi", "dimanche"], "férié"),
        (["Mo", "Di", "Do", "So"], "xx"),
        (["jan", "feb", "mar", "apr", "dec"], "all"),
        (["MARS", "Août", "déc."], "été"),
        (["under 18", "18-24", "25-34", "100-120", "over 120"], "unknown"),
        (["< €5,000", "€5,000 – €9,999", "€10,000 – €29,999", "€100,000 or more"], "?"),
        (["(-1, 0.5]", "(0.5, 2.0]", "(2.0, 10.0]"], "none"),
    ],
)
def test_weekdays_months_and_ranges_have_codes_in_their_order(in_order, other):
    assert labels(in_order[::-1]) == ["#na#", *in_order]
    assert labels([other, *in_order]) == ["#na#", *sorted([other, *in_order])]
    assert codes(Categorify().fit(table(in_order)), [other, in_order[1]]) == [0, 2]


def test_ordered_levels_keep_their_order_and_have_codes_whether_or_not_they_occur():
    fitted = Categorify(ordered={"x": ["small", "medium", "large"]}).fit(table(["large", "small"]))
    assert codes(fitted, ["small", "medium", "large", "huge"]) == [1, 2, 3, 0]
    sizes = pd.CategoricalDtype(["small", "medium", "large"], ordered=True)
    fitted = Categorify().fit(table(["large", "small"], sizes))
    assert codes(fitted, ["medium", "large"]) == [2, 3]


@pytest.mark.parametrize("levels", [["a", "b", "a"], "ab", ["a", None], ["a", np.nan]])
def test_invalid_levels_are_rejected(levels):
    with pytest.raises(ValueError, match="ordered={'x': .*} must be a list of distinct labels"):
        Categorify(ordered={"x": levels}).fit(table(["a"]))


def test_a_label_outside_its_levels_is_refused_in_fit():
    with pytest.raises(ValueError, match=r"Column 'x' holds 'c', which is not among its ordered levels \['a', 'b'\]"):
        Categorify(ordered={"x": ["a", "b"]}).fit(table(["a", "c"]))


def test_rare_labels_share_code_0():
    values = ["a"] * 5 + ["b"] * 3 + ["c"] * 2
    assert labels(values, min_frequency=3) == ["#na#", "a", "b"]
    assert labels(values, min_frequency=0.3) == ["#na#", "a", "b"]
    assert labels(values, min_frequency=0.31) == ["#na#", "a"]
    assert labels(values, max_categories=2) == ["#na#", "a", "b"]
    assert labels(values, max_categories=np.int64(1)) == ["#na#", "a"]
    fitted = Categorify(["x"], max_categories=1).fit(table(values))
    assert codes(fitted, ["c", "a"]) == [0, 1]


def test_ties_between_equally_frequent_labels_go_to_the_first_in_order_however_rows_lie():
    for values in (["d", "c", "b", "a"], ["a", "b", "c", "d"], ["b", "d", "a", "c"]):
        assert labels(values, max_categories=2) == ["#na#", "a", "b"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_frequency": -1}, "'min_frequency' .*Got -1"),
        ({"min_frequency": 1.5}, "'min_frequency' .*Got 1.5"),
        ({"min_frequency": "3"}, "'min_frequency' .*Got '3'"),
        ({"max_categories": 0}, "'max_categories' .*Got 0"),
        ({"max_categories": 2.0}, "'max_categories' .*Got 2.0"),
        ({"columns": ["y"]}, r"columns names \['y'\], but the table has no such column; it has \['x'\]"),
        ({"ordered": {"y": ["a"]}}, r"ordered names \['y'\]"),
    ],
)
def test_parameters_out_of_range_are_refused_by_value(params, message):
    with pytest.raises(ValueError, match=message):
        Categorify(**params).fit(table(["a"]))


def test_columns_must_be_a_list():
    with pytest.raises(TypeError, match=r"columns='x' must be a list of column names, such as \['x'\]"):
        Categorify("x").fit(table(["a"]))


def test_chunks_may_begin_with_gaps_and_bring_new_labels():
    chunked = Categorify(min_frequency=2).partial_fit(table([None, None], "string"))
    chunked.partial_fit(table(["b", "a"])).partial_fit(table(["c", "b", "c"]))
    assert chunked.categories_["x"] == ["#na#", "b", "c"]


def test_inverse_transform_gives_the_labels_and_nan_for_code_0():
    frame = pd.DataFrame({"x": ["b", None, "a"], "n": [1.5, 2.5, np.nan], "f": [True, False, True]})
    fitted = Categorify().fit(frame)
    restored = fitted.inverse_transform(fitted.transform(frame))
    pd.testing.assert_frame_equal(restored, frame, check_dtype=False)
    assert restored["f"].dtype == bool
    codes_only = fitted.transform(frame).to_numpy(dtype=np.float64)
    assert fitted.inverse_transform(codes_only)["x"].tolist()[::2] == ["b", "a"]


def test_inverse_transform_refuses_codes_it_did_not_give():
    fitted = Categorify().fit(table(["a"]))
    for code in (-1, 2):
        with pytest.raises(ValueError, match=r"Column 'x' has a code outside 0\.\.1"):
            fitted.inverse_transform(table([code]))


TEXT = st.none() | st.text(max_size=3)
ANY = TEXT | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2, allow_nan=False)


@given(st.lists(TEXT, min_size=1, max_size=90), st.lists(TEXT, min_size=1, max_size=90), st.randoms())
def test_the_code_depends_on_the_label_alone(train, later, random):
    fitted = Categorify(["x"]).fit(table(train, object))
    code_of = {label: code for code, label in enumerate(fitted.categories_["x"]) if code}
    assert [*code_of] == sorted({label for label in train if label is not None})
    expected = [code_of.get(label, 0) for label in later]
    assert codes(fitted, later, object) == expected
    assert [codes(fitted, [label], object)[0] for label in later[:5]] == expected[:5]
    shuffled = random.sample(sorted({label for label in later if label is not None}), k=len({*later} - {None}))
    assert codes(fitted, pd.Categorical(later, categories=pd.Index(shuffled, dtype=object))) == expected


@given(st.lists(ANY, min_size=1, max_size=90), st.integers(1, 90))
def test_codes_invert_and_chunks_teach_the_same_as_the_whole(values, cut):
    fitted = Categorify(["x"]).fit(table(values, object))
    restored = fitted.inverse_transform(fitted.transform(table(values, object)))["x"].tolist()
    assert [None if pd.isna(label) else label for label in restored] == values
    chunked = Categorify(["x"]).partial_fit(table(values[:cut], object))
    if values[cut:]:
        chunked.partial_fit(table(values[cut:], object))
    assert chunked.categories_ == fitted.categories_


@pytest.mark.real_data("bulldozers/Train.csv", "bulldozers/Valid.csv")
def test_the_labels_of_the_bulldozers_are_counted_and_restored(data_dir):
    train = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False)
    later = pd.read_csv(data_dir / "bulldozers/Valid.csv", low_memory=False)
    fitted = Categorify(["ProductSize", "fiModelDesc", "state", "auctioneerID"]).fit(train)
    for name, known in fitted.categories_.items():
        assert known[1:] == sorted(train[name].dropna().unique().tolist())
    encoded = fitted.transform(later.assign(SalePrice=0.0))
    restored = fitted.inverse_transform(encoded)
    for name, known in fitted.categories_.items():
        is_known = later[name].isin(known[1:])
        assert (encoded[name].astype(int) > 0).equals(is_known)
        assert (restored[name] == later[name])[is_known].all()


@pytest.mark.parametrize("dtype", [object, "category"])
def test_labels_that_a_saved_model_cannot_hold_are_refused_by_name_in_fit(dtype):
    X = pd.DataFrame({"half": pd.Series([Fraction(1, 2), Fraction(1, 3)], dtype=dtype)})
    with pytest.raises(
        TypeError, match=r"Column 'half' holds the label Fraction\(1, .\) .*df\['half'\]\.astype\(str\)"
    ):
        Categorify(["half"]).fit(X)


@pytest.mark.parametrize("pair", [("Ohio", "ohio"), ("Ohio", " Ohio"), ("caf\u00e9", "cafe\u0301")])
def test_labels_that_differ_only_in_spelling_are_named(pair):
    with pytest.warns(UserWarning, match="differ only by letter case, spaces or Unicode form.*'state'"):
        categorify = Categorify().fit(pd.DataFrame({"state": [*pair, "Utah"]}))
    assert len(categorify.categories_["state"]) == 4


def test_a_column_of_unseen_labels_is_named_once():
    categorify = Categorify().fit(pd.DataFrame({"state": ["Ohio", "Utah", "Iowa"]}))
    new = pd.DataFrame({"state": ["OH", "UT", "IA"]})
    with pytest.warns(UserWarning, match="No label of column 'state' was seen in fit, such as 'OH', 'UT', 'IA'"):
        assert categorify.transform(new)["state"].tolist() == [0, 0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        categorify.transform(new)


@pytest.mark.parametrize("frequent", ["often", "zzz"])
def test_a_vocabulary_of_chunks_is_bounded_and_keeps_every_frequent_label(monkeypatch, frequent):
    monkeypatch.setattr("tabrec.preprocess.categorify._MOST_LABELS", 10)
    chunked = Categorify().partial_fit(pd.DataFrame({"x": [frequent]}))
    chunks = [pd.DataFrame({"x": [frequent, *(f"label {chunk} {i}" for i in range(5))]}) for chunk in range(50)]
    with pytest.warns(UserWarning, match="Column 'x' has more than 10 labels"):
        deque(map(chunked.partial_fit, chunks))
    # A label in more of the 301 rows than the error is kept, and the error is at most a share of 1 / 11 of them.
    assert frequent in chunked.categories_["x"]
    assert len(chunked.categories_["x"]) <= 11
    assert 0 < chunked.count_errors_["x"] <= 301 / 11
    assert chunked.transform(pd.DataFrame({"x": [frequent, "label 0 0"]}))["x"].astype(int).gt(0).tolist() == [
        True,
        False,
    ]


def test_a_small_vocabulary_has_no_errors():
    assert Categorify().partial_fit(pd.DataFrame({"x": ["a", "b"]})).count_errors_ == {}
