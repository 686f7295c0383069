"""Every encoded column is traced to its raw column, label and date part by structure, never by its name."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

import tabrec
from tabrec import Categorify, DateParts, ElapsedSince, FillMissing, ForestClassifier, Normalize, TabularPreprocessor
from tabrec.preprocess.lineage import Origin, trace_columns

FORMAT_1 = Path(__file__).parent.parent / "saving" / "format_1"
SALES = pd.DataFrame(
    {
        "saledate": pd.to_datetime(["2020-01-05", "2020-02-06", None, "2021-03-07"]),
        "state": ["Ohio", "Utah", None, "Ohio"],
        "hours": [1.0, None, 3.0, 7.0],
        "promo": [True, False, True, False],
    }
)
NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "a_b": [5.0, 1.0, 2.0, 9.0]})


def sources(transformer, columns):
    return {name: origin and origin.column for name, origin in trace_columns(transformer, columns).items()}


def test_date_parts_record_their_date_and_part():
    parts = DateParts(["saledate"]).fit(SALES[["hours", "saledate"]])
    assert parts.output_to_input_["saleMonth"] == "saledate"
    assert parts.input_to_outputs_ == {"hours": ["hours"], "saledate": parts.parts_["saledate"]}
    assert parts.origins()["saleMonth"] == Origin("saledate", "date part", part="Month")


def test_a_part_that_takes_the_name_of_a_replaced_date_comes_from_the_other_date():
    dates = pd.DataFrame({"date": SALES["saledate"], "Year": SALES["saledate"]})
    parts = DateParts().fit(dates)
    assert parts.output_to_input_["Year"] == "date"
    assert parts.get_feature_names_out().tolist() == parts.transform(dates).columns.tolist()


def test_labels_by_code_are_recorded():
    assert Categorify().fit(SALES[["state"]]).origins() == {
        "state": Origin("state", "codes", labels=["#na#", "Ohio", "Utah"])
    }


def test_indicators_come_from_the_column_they_mark():
    filled = FillMissing().fit(SALES[["hours", "promo"]])
    assert filled.output_to_input_ == {"hours": "hours", "promo": "promo", "hours_na": "hours"}
    assert filled.origins()["hours_na"] == Origin("hours", "missing")


def test_normalised_columns_are_values():
    assert Normalize().fit(NUMBERS).origins() == {"a": Origin("a", "value"), "a_b": Origin("a_b", "value")}


def test_elapsed_days_come_from_their_event():
    table = SALES.assign(saledate=pd.Timestamp("2020-01-01"))
    elapsed = ElapsedSince(["promo"], date="saledate").fit(table)
    assert elapsed.input_to_outputs_["promo"] == ["promo", "Afterpromo", "promo_bw", "Beforepromo", "promo_fw"]
    assert elapsed.origins()["promo_bw"] == Origin("promo", "elapsed", part="bw")
    assert elapsed.get_feature_names_out().tolist() == elapsed.transform(table).columns.tolist()


def test_the_preprocessor_composes_its_steps():
    preprocessor = TabularPreprocessor("net", drop_columns=["promo"], max_card=0).fit(SALES)
    origins = preprocessor.origins()
    assert list(origins) == preprocessor.transform(SALES).columns.tolist()
    assert preprocessor.input_to_outputs_["promo"] == []
    assert preprocessor.input_to_outputs_["hours"] == ["hours", "hours_na"]
    assert origins["saleYear_na"] == Origin("saledate", "missing", part="Year")
    assert origins["state"].labels == ["#na#", "Ohio", "Utah"]


def test_columns_of_an_array_are_traced_by_position():
    filled = FillMissing().fit(np.array([[1.0, 2.0], [np.nan, 3.0]]))
    assert filled.input_to_outputs_ == {"x0": ["x0", "x0_na"], "x1": ["x1"]}
    assert sources(filled, ["a", "b"]) == {"x0": "a", "x1": "b", "x0_na": "a"}


def test_nothing_is_known_before_fit():
    assert not hasattr(FillMissing(), "output_to_input_")


def test_target_means_name_their_class():
    y = np.array(["low", "mid", "high"] * 4)
    X = pd.DataFrame({"city": [f"city {i % 6}" for i in range(12)], "city_size": [*range(11), np.nan]})
    forest = ForestClassifier(5, high_cardinality=3, random_state=0).fit(X, y)
    low = forest.origins()["city_low"]
    assert (low.column, low.kind, low.label) == ("city", "target mean", "low")
    assert forest.input_to_outputs_ == {
        "city": ["city_high", "city_low", "city_mid"],
        "city_size": ["city_size", "city_size_na"],
    }


def test_one_hot_columns_name_their_label_and_not_a_column_of_a_like_name():
    X = pd.DataFrame({"job": ["level_a", "level_b", "other"] * 4, "job_level": np.arange(12.0)})
    encoder = make_column_transformer((OneHotEncoder(sparse_output=False), ["job"]), remainder="passthrough")
    model = make_pipeline(encoder, RandomForestRegressor(2, random_state=0)).fit(X, X["job_level"])
    assert list(trace_columns(model, X.columns).values()) == [
        Origin("job", "label", "level_a"),
        Origin("job", "label", "level_b"),
        Origin("job", "label", "other"),
        Origin("job_level", "value"),
    ]


@pytest.mark.parametrize("drop", [None, "first", "if_binary"])
def test_one_hot_encoders_that_drop_or_join_labels(drop):
    X = pd.DataFrame(
        {
            "p": ["a"] * 5 + ["b"] * 4 + ["c", "d"],
            "q": ["u", None] * 5 + ["v"],
            "s": [1.0, 2.0] * 5 + [np.nan],
            "r": ["yes", "no"] * 5 + ["no"],
        }
    )
    encoder = OneHotEncoder(drop=drop, min_frequency=3, sparse_output=False).set_output(transform="pandas").fit(X)
    encoded = encoder.transform(X)
    origins = trace_columns(encoder, X.columns)
    assert list(origins) == encoded.columns.tolist()
    for name, origin in origins.items():
        labels = [origin.label] if origin.labels is None else origin.labels
        expected = X[origin.column].isin(labels) if labels != [None] else X[origin.column].isna()
        assert (encoded[name] == expected).all()


def test_codes_and_one_hot_columns_of_codes_keep_the_labels():
    X = SALES[["state"]].fillna("?")
    ordinal = make_pipeline(OrdinalEncoder(), OneHotEncoder()).fit(X)
    assert [origin.label for origin in trace_columns(ordinal, ["state"]).values()] == ["?", "Ohio", "Utah"]
    ours = make_pipeline(Categorify(), OneHotEncoder()).fit(SALES[["state"]])
    assert [origin.label for origin in trace_columns(ours, ["state"]).values()] == ["#na#", "Ohio", "Utah"]
    assert trace_columns(OrdinalEncoder().fit(X), ["state"])["state"].labels == ["?", "Ohio", "Utah"]


def test_target_encoders_give_a_column_for_each_class():
    X = pd.DataFrame({"p": list("aabbcc") * 4, "p_x": list("uvuvuv") * 4})
    encoder = TargetEncoder().fit(X, ["x", "y", "z"] * 8)
    assert list(trace_columns(encoder, X.columns).values()) == [
        Origin(column, "target mean", label) for column in ["p", "p_x"] for label in ["x", "y", "z"]
    ]
    assert sources(TargetEncoder().fit(X, np.arange(24) + 0.5), X.columns) == {"p": "p", "p_x": "p_x"}


def test_imputers_leave_out_empty_columns_and_add_indicators():
    X = pd.DataFrame({"empty": [np.nan] * 4, "a": [1.0, np.nan, 2.0, 3.0], "b": range(4)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        imputer = SimpleImputer(add_indicator=True).fit(X)
    origins = list(trace_columns(imputer, X.columns).values())
    values, marks = origins[:2], origins[2:]
    assert values == [Origin("a", "value"), Origin("b", "value")]
    assert marks == [Origin("empty", "missing"), Origin("a", "missing")]
    neighbours = KNNImputer(add_indicator=True).fit(X[["b", "a"]])
    assert list(trace_columns(neighbours, ["b", "a"]).values())[2:] == [Origin("a", "missing")]


def test_column_transformers_resolve_every_way_to_choose_columns():
    X = pd.DataFrame({"w": [1.0, 2.0, 3.0], "x": [1.0, 5.0, 2.0], "y": list("uvu"), "z": [0.0, 1.0, 2.0]})
    encoder = ColumnTransformer(
        [
            ("left out", "drop", ["w"]),
            ("empty", StandardScaler(), []),
            ("text", OneHotEncoder(), make_column_selector(dtype_exclude=float)),
            ("by position", StandardScaler(), [3]),
            ("by mask", PCA(1), [True, True, False, False]),
            ("sliced", "passthrough", slice("w", "x")),
        ],
        remainder="drop",
    )
    assert list(trace_columns(encoder.fit(X), X.columns).values()) == [
        Origin("y", "label", "u"),
        Origin("y", "label", "v"),
        Origin("z", "value"),
        None,
        Origin("w", "value"),
        Origin("x", "value"),
    ]


def test_unions_selectors_functions_and_frozen_transformers():
    union = FeatureUnion([("all", StandardScaler()), ("none", "drop"), ("as is", "passthrough")]).fit(NUMBERS)
    assert sources(union, NUMBERS.columns) == {
        "all__a": "a",
        "all__a_b": "a_b",
        "as is__a": "a",
        "as is__a_b": "a_b",
    }
    constant = NUMBERS.assign(c=1.0)[["c", "a", "a_b"]]
    assert sources(VarianceThreshold().fit(constant), constant.columns) == {"a": "a", "a_b": "a_b"}
    logarithm = FunctionTransformer(np.log, feature_names_out="one-to-one").fit(NUMBERS)
    assert sources(FrozenEstimator(logarithm), NUMBERS.columns) == {"a": "a", "a_b": "a_b"}
    assert sources(None, ["a"]) == {"a": "a"}


def test_what_cannot_be_derived_is_none_whatever_its_name():
    swapped = FunctionTransformer(lambda X: X[:, ::-1]).fit(NUMBERS.to_numpy())
    model = make_pipeline(swapped, RandomForestRegressor(2)).fit(NUMBERS.to_numpy(), [1, 2, 3, 4])
    assert trace_columns(model, ["x0", "x1"]) == {"x0": None, "x1": None}
    assert trace_columns(make_pipeline(StandardScaler(), PCA()).fit(NUMBERS), NUMBERS.columns) == {
        "pca0": None,
        "pca1": None,
    }
    assert trace_columns(make_pipeline(PCA(), StandardScaler()).fit(NUMBERS), NUMBERS.columns) == {
        "pca0": None,
        "pca1": None,
    }


def test_what_is_computed_from_one_column_comes_from_it():
    square = FunctionTransformer(lambda X: np.column_stack([X, X**2])).fit(NUMBERS[["a"]])
    assert trace_columns(square, ["a"], ["one", "two"]) == dict.fromkeys(["one", "two"], Origin("a", "derived"))


def test_a_pipeline_ends_in_the_columns_that_its_predictor_sees():
    model = make_pipeline(DateParts(), tabrec.ForestRegressor(2, random_state=0)).fit(SALES, [1, 2, 3, 4])
    origins = trace_columns(model, SALES.columns)
    assert list(origins) == list(model[-1].encoded_names_)
    assert origins["saleDay_na"] == Origin("saledate", "missing", part="Day")


@pytest.mark.parametrize("name", ["tabular-preprocessor", "fill-missing", "embedding-encoder", "date-parts"])
def test_saved_models_of_format_1_have_their_lineage(name):
    loaded = tabrec.load(FORMAT_1 / name)
    X = pd.read_csv(FORMAT_1 / "auctions.csv", parse_dates=["saledate"]).drop(columns="SalePrice")
    assert list(loaded.output_to_input_) == loaded.transform(X).columns.tolist()
    assert set(loaded.output_to_input_.values()) <= set(X.columns) == set(loaded.input_to_outputs_)


def test_vectors_come_from_the_column_that_they_replace():
    encoder = tabrec.load(FORMAT_1 / "embedding-encoder")
    vectors = [name for name, origin in encoder.origins().items() if origin.kind == "embedding"]
    assert vectors
    assert {encoder.output_to_input_[name] for name in vectors} == {
        encoder.estimator_.output_to_input_[column] for column in encoder.columns_
    }


NAMES = ["a", "a_b", "a_b_c", "a_na", "b", "b_c", "c", "a_1", "x0"]


@given(
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True),
    st.data(),
)
def test_columns_that_are_prefixes_of_one_another_are_never_confused(names, data):
    """Each output column follows the one raw column that is changed, and no other."""
    with_labels = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            name: rng.choice(["b", "b_c", "na", "1"], 24) if name in with_labels else rng.normal(size=24)
            for name in names
        }
    )
    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), with_labels),
        remainder=StandardScaler(),
        verbose_feature_names_out=data.draw(st.booleans()) or len(set(names) & {"a", "a_b", "b", "a_1"}) > 0,
    ).fit(X)
    before = encoder.transform(X)
    origins = list(trace_columns(encoder, names).values())
    for name in names:
        changed = encoder.transform(X.assign(**{name: "new" if name in with_labels else X[name] + 1}))
        moved = (changed != before).any(axis=0)
        assert [origin.column == name for origin in origins] == moved.tolist()


@pytest.mark.parametrize("name", ["input_to_outputs_", "output_to_input_"])
def test_lineage_of_an_unfitted_transformer_says_that_it_is_not_fitted(name):
    with pytest.raises(NotFittedError, match="This TabularPreprocessor instance is not fitted yet"):
        getattr(TabularPreprocessor(), name)
    assert not hasattr(TabularPreprocessor(), name)


def test_a_column_transformer_with_a_step_without_names_is_traced_by_position():
    X = pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0], "c": [3.0, 4.0]})
    squares = FunctionTransformer(lambda values: values**2)
    transformer = ColumnTransformer([("label", OneHotEncoder(), ["a"]), ("square", squares, ["b", "c"])]).fit(X)
    found = trace_columns(transformer, X.columns)
    assert found == {"x0": Origin("a", "label", "x"), "x1": Origin("a", "label", "y"), "x2": None, "x3": None}
