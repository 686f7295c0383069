"""`load_bulldozers`, `load_house_prices` and `load_adult`: frames equal the original files."""

import pandas as pd
import pytest

from tabrec.datasets import load_adult, load_bulldozers, load_house_prices

ROW = "{age}, {work}, 77516, Bachelors, 13, Divorced, Sales, Husband, White, Male, 2174, 0, 40, United-States, {income}"


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def bulldozers(tmp_path):
    files = {
        "Train.csv": "SalesID,SalePrice,saledate,UsageBand\n1,66000,11/16/2006 0:00,Low\n2,57000,3/26/2004 0:00,\n",
        "Valid.csv": "SalesID,saledate,UsageBand\n3,1/5/2012 0:00,Low\n",
    }
    return write(tmp_path / "bulldozers", files)


@pytest.fixture
def adult(tmp_path):
    files = {
        "adult.data": ROW.format(age=39, work="State-gov", income="<=50K") + "\n\n",
        "adult.test": "|1x3 Cross validator\n" + ROW.format(age=25, work="?", income=">50K.") + "\n\n",
    }
    return write(tmp_path / "adult", files)


def test_bulldozers_have_dates_categories_and_gaps(bulldozers, tmp_path):
    train, valid, test = load_bulldozers(tmp_path)
    assert train["saledate"].tolist() == [pd.Timestamp(2006, 11, 16), pd.Timestamp(2004, 3, 26)]
    assert isinstance(train["UsageBand"].dtype, pd.CategoricalDtype)
    assert train["UsageBand"].isna().tolist() == [False, True]
    assert valid.columns.tolist() == ["SalesID", "saledate", "UsageBand"]
    assert test is None
    write(bulldozers, {"Test.csv": "SalesID,saledate,UsageBand\n4,11/30/2012 0:00,High\n"})
    assert load_bulldozers(tmp_path).test["saledate"].tolist() == [pd.Timestamp(2012, 11, 30)]


def test_bulldozers_with_other_dates_or_none_are_refused(bulldozers, tmp_path):
    write(bulldozers, {"Valid.csv": "SalesID,saledate\n3,soon\n"})
    with pytest.raises(ValueError, match=r"Valid.csv: column 'saledate' has a value that is not a date: .*soon"):
        load_bulldozers(tmp_path)
    write(bulldozers, {"Valid.csv": "SalesID,date\n3,soon\n"})
    with pytest.raises(ValueError, match=r"Valid.csv has no column 'saledate'"):
        load_bulldozers(tmp_path)


def test_na_in_house_prices_is_missing(tmp_path):
    write(tmp_path / "house-prices", {"train.csv": "Id,Alley\n1,NA\n2,Pave\n", "test.csv": "Id,Alley\n3,Grvl\n"})
    train, test = load_house_prices(tmp_path)
    assert train["Alley"].isna().tolist() == [True, False]
    assert test["Alley"].tolist() == ["Grvl"]


def test_adult_is_read_from_the_files_of_uci(adult, tmp_path):
    train, test = load_adult(tmp_path)
    assert train.columns[[0, 1, 4, -2, -1]].tolist() == [
        *("age", "workclass", "education-num", "native-country", "income"),
    ]
    assert train.iloc[0].tolist()[:6] == [39, "State-gov", 77516, "Bachelors", 13, "Divorced"]
    assert len(train) == len(test) == 1
    assert test["income"].tolist() == [">50K"]
    assert test["workclass"].isna().all()
    for name in ("workclass", "sex", "income"):
        assert isinstance(test[name].dtype, pd.CategoricalDtype)


def test_adult_is_read_where_somebody_has_split_it_too(adult, tmp_path):
    write(adult, {"adult.val": ROW.format(age=51, work="Private", income=">50K")})
    write(adult, {"adult.test": ROW.format(age=25, work="Private", income="<=50K.")})
    train, test = load_adult(tmp_path)
    assert train["age"].tolist() == [39, 51]
    assert test["age"].tolist() == [25]


def test_adult_with_another_label_is_refused(adult, tmp_path):
    write(adult, {"adult.data": ROW.format(age=39, work="Private", income="rich")})
    with pytest.raises(ValueError, match=r"adult.data: column 'income' has 'rich', which is neither"):
        load_adult(tmp_path)
    write(adult, {"adult.data": ROW.format(age=39, work="Private", income="<=50K").rsplit(",", 1)[0]})
    with pytest.raises(ValueError, match=r"adult.data: column 'income' has nan"):
        load_adult(tmp_path)
    write(adult, {"adult.data": ROW.format(age="old", work="Private", income="<=50K")})
    with pytest.raises(ValueError, match=r"adult.data cannot be read as a table of 15 columns: .*old"):
        load_adult(tmp_path)


@pytest.mark.parametrize(
    ("load", "name", "how"),
    [
        (load_bulldozers, "bulldozers", "fetch_kaggle('bluebook-for-bulldozers')"),
        (load_house_prices, "house-prices", "fetch_kaggle('house-prices-advanced-regression-techniques')"),
        (load_adult, "adult", "fetch_adult()"),
    ],
)
def test_what_is_not_there_says_where_it_was_sought_and_how_to_get_it(alone, tmp_path, monkeypatch, load, name, how):
    monkeypatch.setenv("TABREC_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(FileNotFoundError) as caught:
        load()
    for part in (str(tmp_path / "data"), str(alone / ".cache" / "tabrec"), f"`tabrec download {name}`", how):
        assert part in str(caught.value)
    with pytest.raises(FileNotFoundError) as caught:
        load(tmp_path / "here")
    assert str(tmp_path / "here") in str(caught.value)
    assert ".cache" not in str(caught.value)


def test_the_place_is_that_given_or_the_variables_or_the_cache(adult, alone, tmp_path, monkeypatch):
    assert load_adult(adult).train["age"].tolist() == [39]
    with pytest.raises(FileNotFoundError):
        load_adult()
    monkeypatch.setenv("TABREC_DATA_DIR", str(tmp_path))
    assert load_adult().train["age"].tolist() == [39]
    cached = write(
        alone / ".cache" / "tabrec" / "house-prices", {"train.csv": "Id,a\n1,2\n", "test.csv": "Id,a\n3,4\n"}
    )
    assert load_house_prices().train["Id"].tolist() == [1]
    assert load_house_prices(cached).train["Id"].tolist() == [1]
    monkeypatch.delenv("TABREC_DATA_DIR")
    assert load_house_prices().train["Id"].tolist() == [1]


@pytest.mark.real_data("bulldozers/Train.csv", "bulldozers/Valid.csv")
def test_the_real_bulldozers(data_dir):
    train, valid, _ = load_bulldozers(data_dir)
    assert train.shape[1] == 53
    assert valid.shape == (11_573, 52)
    assert train.columns.drop("SalePrice").tolist() == valid.columns.tolist()
    assert train["saledate"].dt.year.max() == 2011
    assert valid["saledate"].between("2012-01-01", "2012-04-30").all()


@pytest.mark.real_data("house-prices/train.csv", "house-prices/test.csv")
def test_the_real_house_prices(data_dir):
    train, test = load_house_prices(data_dir)
    assert (train.shape, test.shape) == ((1_460, 81), (1_459, 80))
    assert train["Alley"].isna().sum() == 1_369


@pytest.mark.real_data("adult/adult.data", "adult/adult.test")
def test_the_real_adult(data_dir):
    train, test = load_adult(data_dir)
    assert len(train) + len(test) == 48_842
    assert train["income"].eq(">50K").sum() == 7_841
    assert train.dtypes.eq("int64").sum() == 6
    assert not train.drop(columns=["workclass", "occupation", "native-country"]).isna().any(axis=None)
