"""Placeholders: codes that mean missing are detected, valid values are not."""

import numpy as np
import pandas as pd
import pytest

from tabrec.datasets import make_auctions
from tabrec.interpret.audit.placeholders import find_placeholders


def find(values):
    return find_placeholders(pd.DataFrame({"column": values}))


@pytest.mark.parametrize("code", [1000.0, -999.0, 9999.0, -1.0, 0.0])
def test_a_repeated_value_far_from_the_rest_is_named_with_its_share(code):
    years = np.random.default_rng(0).integers(1950, 2012, 500).astype(float)
    years[:50] = code
    (found,) = find(years)
    assert found.columns == ("column",)
    assert f"column = {code:g} " in found.text
    assert "10.0%" in found.evidence
    assert found.severity == 2


def test_two_codes_in_one_column_are_both_found():
    hours = np.random.default_rng(0).uniform(1, 500, 1000)
    hours[:20], hours[20:60] = -999, 99999
    assert sorted(f.text.split(" = ")[1].split()[0] for f in find(hours)) == ["-999", "99999"]


@pytest.mark.parametrize("seed", range(5))
def test_honest_columns_raise_no_alarm(seed):
    rng = np.random.default_rng(seed)
    n = 5000
    frame = pd.DataFrame(
        {
            "normal": rng.normal(size=n),
            "rounded": rng.normal(0, 10, n).round(),
            "lognormal": rng.lognormal(0, 2, n),
            "price": rng.lognormal(9, 1, n).round(-2),
            "pareto": rng.pareto(1.2, n),
            "poisson": rng.poisson(3, n),
            "zipf": rng.zipf(1.7, n),
            "many zeros": np.where(rng.random(n) < 0.7, 0, rng.gamma(2, 100, n)),
            "flag": rng.integers(0, 2, n),
            "levels": rng.choice([0, 1, 2, 50], n),
            "capped": np.minimum(rng.exponential(3000, n), 9999).round(),
            "gap": np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)),
            "day": pd.Timestamp("2005-01-01") + pd.to_timedelta(rng.integers(0, 3000, n), "D"),
            "state": rng.choice(["Ohio", "Utah", "Other"], n),
        }
    )
    assert find_placeholders(frame) == []


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("code", ["1900-01-01", "1970-01-01"])
def test_dates_that_stand_for_none_are_found(code, as_text):
    days = pd.Series(pd.Timestamp("2005-03-01") + pd.to_timedelta(np.arange(800) % 300, "D"))
    days[:40] = pd.Timestamp(code)
    days[40:50] = pd.NaT
    (found,) = find(days.dt.strftime("%Y-%m-%d") if as_text else days)
    assert code in found.text


def test_words_for_missing_are_gathered_into_one_finding():
    frame = pd.DataFrame({"a": ["Unknown", "x", "y", "x"], "b": ["?", "?", "u", "v"], "c": list("klmn")})
    (found,) = find_placeholders(frame)
    assert found.columns == ("b", "a")
    assert found.severity == 3
    assert "50.0%" in found.evidence


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1.0]}),
        pd.DataFrame({"a": [np.nan, np.nan]}),
        pd.DataFrame({"a": pd.Categorical(["x", None], categories=["x", "unknown"])}),
        pd.DataFrame({"a": [True, False]}),
        np.ones((3, 2)),
    ],
    ids=["one row", "nothing", "empty category", "booleans", "array"],
)
def test_small_and_empty_columns_give_nothing(frame):
    assert find_placeholders(frame) == []


def test_made_auctions_have_an_unknown_year():
    assert any("YearMade = 1000" in f.text for f in find_placeholders(make_auctions(1000, random_state=0)))


@pytest.mark.real_data("bulldozers/Train.csv")
def test_bulldozers_year_1000_is_worth_a_look(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False)
    year, words = find_placeholders(sales)
    share = (sales["YearMade"] == 1000).mean()
    assert year.columns == ("YearMade",)
    assert "YearMade = 1000" in year.text
    assert f"{share:.1%}" in year.evidence
    assert "None or Unspecified" in words.text
