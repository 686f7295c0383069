"""What transformers learn from parts of a table is put together to what they learn from all of it."""

from functools import reduce

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone

from tabrec import Categorify, DateParts, FillMissing, Normalize, TabularPreprocessor
from tabrec.datasets import make_auctions
from tabrec.preprocess.merging import merge_fits, start_at
from tabrec.preprocess.table_survey import TableSurvey
from tabrec.tables.numbers import UniformSample

SALES = make_auctions(900, random_state=0)[
    ["MachineID", "auctioneerID", "YearMade", "MachineHoursCurrentMeter", "UsageBand", "saledate", "state"]
]
CUTS = pytest.mark.parametrize("cuts", [[450], [1, 2, 800], [300, 600]])


def parts_of(table, cuts):
    return [(start, table[start:stop]) for start, stop in zip([0, *cuts], [*cuts, len(table)], strict=True)]


def survey(*tables):
    found = TableSurvey()
    for table in tables:
        found.add(table)
    return found


def merge_surveys(first, second):
    first.merge(second)
    return first


@CUTS
@pytest.mark.parametrize(
    "preprocessor",
    [
        TabularPreprocessor(),
        TabularPreprocessor("net", min_frequency=3),
        TabularPreprocessor("net", normalize="quantile", fill_strategy="most_frequent"),
    ],
)
def test_a_preprocessor_is_that_of_one_fit(cuts, preprocessor):
    parts = parts_of(SALES, cuts)
    whole = clone(preprocessor).fit(SALES)
    started = clone(preprocessor).start_fit(reduce(merge_surveys, [survey(part) for _, part in parts]))
    fitted = [start_at(started, start).partial_fit(part) for start, part in parts]
    before = fitted[0].categories_
    merged = reduce(merge_fits, fitted)
    assert merged.kinds_ == whole.kinds_
    assert merged.categories_ == whole.categories_
    assert merged.fill_missing_.fill_values_ == whole.fill_missing_.fill_values_
    assert merged.fill_missing_.indicators_ == whole.fill_missing_.indicators_
    assert_frame_equal(merged.transform(SALES), whole.transform(SALES), rtol=1e-6, check_exact=False)
    assert fitted[0].categories_ == before  # the parts are not changed
    more = clone(preprocessor).fit(pd.concat([SALES, SALES[:50]]))
    assert_frame_equal(merged.partial_fit(SALES[:50]).transform(SALES), more.transform(SALES))


@CUTS
@pytest.mark.parametrize(
    ("transformer", "columns"),
    [
        (Categorify(["state"]), ["state"]),
        (FillMissing(columns=["YearMade", "auctioneerID"]), ["YearMade", "auctioneerID"]),
        (Normalize(columns=["YearMade", "auctioneerID"]), ["YearMade", "auctioneerID"]),
        (DateParts(["saledate"]), ["saledate"]),
    ],
)
def test_a_step_is_that_of_one_fit(cuts, transformer, columns):
    table = SALES[columns]
    whole = clone(transformer).fit(table)
    merged = reduce(merge_fits, [clone(transformer).partial_fit(part) for _, part in parts_of(table, cuts)])
    assert_frame_equal(merged.transform(table), whole.transform(table), rtol=1e-6, check_exact=False)


def test_means_are_exact_to_nine_digits_far_from_zero():
    values = 1e9 + np.random.default_rng(0).normal(size=3_000)
    table = pd.DataFrame({"x": values})
    merged = reduce(merge_fits, [Normalize().partial_fit(part) for _, part in parts_of(table, [10, 2_000])])
    assert merged.means_["x"] == pytest.approx(values.mean(), rel=1e-15)
    assert merged.stds_["x"] == pytest.approx(values.std(), rel=1e-7)


@pytest.mark.parametrize("size", [10, 400, 5_000])
def test_samples_of_parts_are_the_sample_of_all_rows(size):
    values = np.random.default_rng(0).normal(size=1_000)
    values[::3] = np.nan
    whole = UniformSample(5, size)
    whole.add(values)
    parts = []
    for start, stop in ((0, 100), (100, 101), (101, 1_000)):
        parts.append(UniformSample(5, size).starting_at(start))
        parts[-1].add(values[start:stop])
    merged = reduce(UniformSample.merge, parts)
    assert np.array_equal(merged.values, whole.values)
    assert merged.is_complete == whole.is_complete == (size == 5_000)


def test_what_does_not_belong_together_is_refused():
    labels = Categorify().partial_fit(pd.DataFrame({"x": ["a"]}))
    with pytest.raises(TypeError, match="Categorify and Normalize cannot be merged"):
        merge_fits(labels, Normalize().partial_fit(pd.DataFrame({"x": [1.0]})))
    with pytest.raises(ValueError, match="fitted to other columns"):
        merge_fits(labels, Categorify().partial_fit(pd.DataFrame({"y": ["a"]})))
    with pytest.raises(ValueError, match="has chosen other columns"):
        merge_fits(labels, Categorify().partial_fit(pd.DataFrame({"x": [1.0]})))
    first, second = (TabularPreprocessor().partial_fit(pd.DataFrame({"x": x})) for x in (["a", "b"], [1.0, 2.0]))
    with pytest.raises(ValueError, match="kinds of the columns were chosen from other rows"):
        merge_fits(first, second)
    with pytest.raises(ValueError, match="Column 'x' holds labels such as 'a' in one part"):
        merge_surveys(survey(pd.DataFrame({"x": ["a"]})), survey(pd.DataFrame({"x": [1.0]})))
