"""`check_submission`: the format of the sample, and an error for every fault."""

import numpy as np
import pandas as pd
import pytest

from tabrec.datasets import check_submission, load_house_prices

SAMPLE = pd.DataFrame({"Id": [1461, 1462, 1463], "SalePrice": [0.0, 0.0, 0.0]})
GOOD = SAMPLE.assign(SalePrice=[120_000.0, 160_000.0, 1e5])


def written(path, table):
    table.to_csv(path, index=False)
    return path


def test_a_good_submission_passes_from_frames_and_from_files(tmp_path):
    submission, sample = written(tmp_path / "mine.csv", GOOD), written(tmp_path / "sample.csv", SAMPLE)
    for given in (GOOD, submission, str(submission)):
        for wanted in (SAMPLE, sample):
            check_submission(given, wanted)


def test_the_order_of_the_rows_does_not_matter():
    check_submission(GOOD.iloc[::-1], SAMPLE)


@pytest.mark.parametrize(
    ("submission", "fault"),
    [
        (GOOD[["SalePrice", "Id"]], "its columns are 'SalePrice', 'Id', not 'Id', 'SalePrice'"),
        (GOOD.rename(columns={"SalePrice": "price"}), "its columns are 'Id', 'price', not 'Id', 'SalePrice'"),
        (GOOD.reset_index(), "its columns are 'index', 'Id', 'SalePrice', not 'Id', 'SalePrice'"),
        (GOOD.iloc[:2], "2 rows, the sample has 3; 1 id is missing: 1463"),
        (GOOD.iloc[:0], "0 rows, the sample has 3; 3 ids are missing: 1461, 1462, 1463"),
        (GOOD.assign(Id=[1461, 1462, 7]), "1 id is missing: 1463; 1 id is not in the sample: 7"),
        (GOOD.assign(Id=[1461, 1462, 1462]), "1 id is missing: 1463; 1 id is repeated: 1462"),
        (GOOD.assign(Id=[1461, 1462, None]), "3 ids are not in the sample: 1461.0, 1462.0, missing"),
        (pd.concat([GOOD, GOOD]), "6 rows, the sample has 3; 3 ids are repeated: 1461, 1462, 1463"),
        (GOOD.assign(Id=GOOD["Id"] + 0.0), "3 ids are not in the sample: 1461.0, 1462.0, 1463.0"),
        (GOOD.assign(SalePrice=[1, np.nan, np.nan]), "column 'SalePrice' has 2 missing values, first for id 1462"),
        (GOOD.assign(SalePrice=[1, 2, -np.inf]), "column 'SalePrice' has 1 infinite value, first for id 1463"),
        (
            GOOD.assign(SalePrice=["1", "2", "x"]),
            "column 'SalePrice' has 1 value that is not a number, first for id 1463",
        ),
        (
            GOOD.assign(Id=[1461, 1462, 7], SalePrice=[np.nan, np.inf, "many"]),
            "1 id is missing: 1463; 1 id is not in the sample: 7; "
            "column 'SalePrice' has 1 missing value, first for id 1461; "
            "column 'SalePrice' has 1 infinite value, first for id 1462; "
            "column 'SalePrice' has 1 value that is not a number, first for id 7",
        ),
    ],
)
def test_each_fault_is_named_in_a_frame_and_in_a_file(tmp_path, submission, fault):
    with pytest.raises(ValueError, match="^The submission does not have the format of the sample: ") as caught:
        check_submission(submission, SAMPLE)
    assert fault in str(caught.value)
    if submission["Id"].notna().all() if "Id" in submission else True:
        with pytest.raises(ValueError, match=r"^mine\.csv does not have the format of the sample: ") as caught:
            check_submission(written(tmp_path / "mine.csv", submission), SAMPLE)
        assert fault in str(caught.value)


def test_many_ids_are_shown_by_the_first():
    sample = pd.DataFrame({"Id": range(1_000), "y": 0.0})
    with pytest.raises(ValueError, match="999 ids are missing: 1, 2, 3, 4, 5, …"):
        check_submission(sample.iloc[:1], sample)


def test_labels_may_be_text_where_the_sample_has_text():
    sample = pd.DataFrame({"id": ["a", "b"], "label": ["cat", "cat"]})
    check_submission(sample.assign(label=["dog", "cat"]), sample)
    check_submission(sample.assign(label=pd.Categorical(["dog", "cat"])), sample)
    with pytest.raises(ValueError, match="column 'label' has 1 missing value, first for id b"):
        check_submission(sample.assign(label=["dog", None]), sample)


def test_ids_of_a_file_are_compared_as_they_are_written(tmp_path):
    (tmp_path / "sample.csv").write_text("id,y\n007,0\n008,0\n")
    (tmp_path / "mine.csv").write_text("id,y\n7,0\n8,0\n")
    with pytest.raises(ValueError, match="2 ids are missing: 007, 008; 2 ids are not in the sample: 7, 8"):
        check_submission(tmp_path / "mine.csv", tmp_path / "sample.csv")
    check_submission(tmp_path / "sample.csv", tmp_path / "sample.csv")


def test_nullable_and_arrow_types_are_read():
    check_submission(GOOD.astype({"Id": "Int64", "SalePrice": "Float64"}), SAMPLE)
    with pytest.raises(ValueError, match="1 missing value, first for id 1462"):
        check_submission(GOOD.assign(SalePrice=pd.array([1, None, 2], dtype="Int64")), SAMPLE)


def test_ids_need_not_be_the_first_column():
    sample = SAMPLE[["SalePrice", "Id"]]
    check_submission(GOOD[["SalePrice", "Id"]], sample, id_column="Id")
    with pytest.raises(
        ValueError, match="id_column='SalesID' is not a column of the sample, which has 'SalePrice', 'Id'"
    ):
        check_submission(GOOD, sample, id_column="SalesID")


def test_what_is_no_table_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*mine\.csv"):
        check_submission(tmp_path / "mine.csv", SAMPLE)
    for content in (b"", b"\xff\xfe\x00\x01", b'Id,SalePrice\n1,"2\n'):
        (tmp_path / "mine.csv").write_bytes(content)
        with pytest.raises(ValueError, match=r"mine\.csv cannot be read as a CSV"):
            check_submission(tmp_path / "mine.csv", SAMPLE)


def test_nothing_is_changed_in_the_frames():
    given, wanted = GOOD.copy(), SAMPLE.copy()
    check_submission(given, wanted)
    pd.testing.assert_frame_equal(given, GOOD)
    pd.testing.assert_frame_equal(wanted, SAMPLE)


@pytest.mark.real_data("house-prices/test.csv")
def test_house_prices_are_checked_against_the_ids_of_the_test_table(data_dir, tmp_path):
    test = load_house_prices(data_dir).test
    sample = test[["Id"]].assign(SalePrice=0.0)
    check_submission(written(tmp_path / "submission.csv", sample.assign(SalePrice=180_000.0)), sample)
    with pytest.raises(ValueError, match="1,458 rows, the sample has 1,459; 1 id is missing: 2919"):
        check_submission(written(tmp_path / "submission.csv", sample.iloc[:-1]), sample)
