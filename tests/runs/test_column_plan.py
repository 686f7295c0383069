"""`plan_columns` says what the fitted preprocessor of a model does."""

import pandas as pd
import pytest

from tabrec.runs import plan_columns

N = 30
SALES = pd.DataFrame(
    {
        "Unnamed: 0": range(N),
        "price": [float(i % 7) for i in range(N)],
        "rooms": [i % 4 for i in range(N)],
        "area": [None, *(float(i) * 1.5 for i in range(1, N))],
        "tax": [f"{i % 9},5 €" for i in range(N - 1)] + ["-"],
        "sold": [f"2011-0{1 + i % 9}-03" for i in range(N)],
        "street": [f"street {i}" for i in range(N)],
        "kind": ["flat", "house", None] * (N // 3),
    }
)


def test_each_column_has_its_kind_and_reason():
    plan = plan_columns(SALES, "price", drop=["street"])
    assert plan["reason"].to_dict() == {
        "Unnamed: 0": "a column without a name that counts rows",
        "price": "regression",
        "rooms": "numbers",
        "area": "numbers; gaps become the median 22.5, with a flag",
        "tax": "text that is numbers (€, decimal ',', '-' as missing); gaps become the median 4.5, with a flag",
        "sold": "text that is dates (ISO8601); become 13 numbers: soldYear, …, soldElapsed",
        "street": "named in drop",
        "kind": "2 labels; gaps are a label of their own",
    }
    assert plan["kind"]["Unnamed: 0"] == plan["kind"]["street"] == "dropped"
    assert plan["kind"]["price"] == "target"
    assert plan["missing"]["kind"] == pytest.approx(1 / 3)


def test_a_net_reads_few_whole_numbers_as_labels_and_an_ensemble_says_so():
    reason = "whole numbers of at most 20 values, 4 labels"
    assert plan_columns(SALES, model="net").loc["rooms", ["kind", "reason"]].tolist() == ["categorical", reason]
    both = plan_columns(SALES, model="ensemble").loc["rooms"]
    assert both["kind"] == "continuous"
    assert both["reason"] == f"numbers; for the net categorical: {reason}"


def test_many_labels_of_a_forest_become_means_of_the_target():
    frame = pd.DataFrame({"x": [f"a{i}" for i in range(101)] * 2, "y": range(202)})
    assert plan_columns(frame, "y")["reason"]["x"] == "101 labels, more than 100: by their mean target"
    assert plan_columns(frame, "y", model="boosting")["reason"]["x"] == "101 labels"


def test_an_id_and_a_constant_are_pointed_out():
    plan = plan_columns(pd.DataFrame({"id": range(20), "same": 1, "y": [0.5, 1.5] * 10}))
    assert plan["reason"]["id"] == "numbers; looks like an id, which drop leaves out"
    assert plan["reason"]["same"] == "numbers; constant"
