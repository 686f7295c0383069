"""`load_bulldozers`, `load_house_prices`, `load_adult`: tables of Kaggle and UCI as frames."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tabrec.datasets.places import DATA_DIR, places_to_look
from tabrec.datasets.tables import read_table

_ADULT_COLUMNS = [
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]
_ADULT_NUMBERS = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}


class Bulldozers(NamedTuple):
    """Blue Book for Bulldozers: machines sold at auction.

    Attributes
    ----------
    train : pandas.DataFrame of shape (n_sales, 53)
        Sales up to the end of 2011, with ``SalePrice``. ``saledate`` is a date, text is ``category``.
    valid : pandas.DataFrame of shape (n_sales, 52)
        Sales of January to April 2012, without ``SalePrice``.
    test : pandas.DataFrame of shape (n_sales, 52), or None
        Sales of May to November 2012, without ``SalePrice``; None if there is no ``Test.csv``.
    """

    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame | None


class HousePrices(NamedTuple):
    """House Prices: houses sold in Ames, Iowa, 2006 to 2010.

    Attributes
    ----------
    train : pandas.DataFrame of shape (1460, 81)
        Houses with ``SalePrice``. Text is ``category``. ``NA``, which in many columns means that a house does not
        have the feature, is a missing value.
    test : pandas.DataFrame of shape (1459, 80)
        Houses without ``SalePrice``.
    """

    train: pd.DataFrame
    test: pd.DataFrame


class Adult(NamedTuple):
    """Adult: people of the census of 1994, and whether they earn more than 50,000 dollars a year.

    Attributes
    ----------
    train : pandas.DataFrame of shape (n_people, 15)
        Fourteen columns and ``income``, "<=50K" or ">50K". Text is ``category``; "?" is a missing value.
    test : pandas.DataFrame of shape (n_people, 15)
        The same columns, ``income`` included.
    """

    train: pd.DataFrame
    test: pd.DataFrame


def load_bulldozers(data_dir: str | os.PathLike | None = None) -> Bulldozers:
    """Read the tables of Kaggle's Blue Book for Bulldozers.

    Parameters
    ----------
    data_dir : str or path-like, default=None
        The folder that holds the folder ``bulldozers``, or that folder itself. None searches the folder of the
        environment variable TABREC_DATA_DIR, if it is set, and then ``~/.cache/tabrec``.

    Returns
    -------
    Bulldozers
        A named tuple ``(train, valid, test)`` of frames.

    Raises
    ------
    FileNotFoundError
        If the files do not exist; the message says how to download them.
    ValueError
        If a file is malformed.

    See Also
    --------
    fetch_kaggle : Downloads the files, as ``fetch_kaggle("bluebook-for-bulldozers")``.
    make_auctions : Generates auctions with the same columns.

    References
    ----------
    https://www.kaggle.com/competitions/bluebook-for-bulldozers

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import load_bulldozers
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "bulldozers").mkdir()
    ...     for name in ["Train.csv", "Valid.csv"]:
    ...         row = "SalesID,SalePrice,saledate\\n1139246,66000,11/16/2006 0:00\\n"
    ...         _ = (Path(folder) / "bulldozers" / name).write_text(row)
    ...     load_bulldozers(folder).train
       SalesID  SalePrice   saledate
    0  1139246      66000 2006-11-16
    """
    folder = _find_folder("bulldozers", ["Train.csv", "Valid.csv"], data_dir, "fetch_kaggle('bluebook-for-bulldozers')")
    test = folder / "Test.csv"
    train, valid = (_read_sales(folder / name) for name in ("Train.csv", "Valid.csv"))
    return Bulldozers(train, valid, _read_sales(test) if test.is_file() else None)


def load_house_prices(data_dir: str | os.PathLike | None = None) -> HousePrices:
    """Read the tables of Kaggle's House Prices.

    Parameters
    ----------
    data_dir : str or path-like, default=None
        The folder that holds the folder ``house-prices``, or that folder itself. None searches the folder of the
        environment variable TABREC_DATA_DIR, if it is set, and then ``~/.cache/tabrec``.

    Returns
    -------
    HousePrices
        A named tuple ``(train, test)`` of frames.

    Raises
    ------
    FileNotFoundError
        If the files do not exist; the message says how to download them.
    ValueError
        If a file is malformed.

    See Also
    --------
    fetch_kaggle : Downloads the files, as ``fetch_kaggle("house-prices-advanced-regression-techniques")``.
    check_submission : Whether predictions for ``test`` can be submitted.

    References
    ----------
    D. De Cock, Ames, Iowa: Alternative to the Boston Housing Data, Journal of Statistics Education 19 (3), 2011.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import load_house_prices
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "house-prices").mkdir()
    ...     train = Path(folder) / "house-prices" / "train.csv"
    ...     _ = train.write_text("Id,Alley,SalePrice\\n1,NA,208500\\n2,Pave,181500\\n")
    ...     _ = (Path(folder) / "house-prices" / "test.csv").write_text("Id,Alley\\n1461,Pave\\n")
    ...     load_house_prices(folder).train
       Id Alley  SalePrice
    0   1   NaN     208500
    1   2  Pave     181500
    """
    how = "fetch_kaggle('house-prices-advanced-regression-techniques')"
    folder = _find_folder("house-prices", ["train.csv", "test.csv"], data_dir, how)
    return HousePrices(read_table(folder / "train.csv"), read_table(folder / "test.csv"))


def load_adult(data_dir: str | os.PathLike | None = None) -> Adult:
    """Read the Adult table (census income).

    Parameters
    ----------
    data_dir : str or path-like, default=None
        The folder that holds the folder ``adult``, or that folder itself. None searches the folder of the environment
        variable TABREC_DATA_DIR, if it is set, and then ``~/.cache/tabrec``.

    Returns
    -------
    Adult
        A named tuple ``(train, test)`` of frames: ``adult.data``, followed by ``adult.val`` if it exists, and
        ``adult.test``.

    Raises
    ------
    FileNotFoundError
        If the files do not exist; the message says how to download them.
    ValueError
        If a file is malformed.

    See Also
    --------
    fetch_adult : Downloads the files.

    References
    ----------
    B. Becker, R. Kohavi, Adult, UCI Machine Learning Repository, 1996, https://doi.org/10.24432/C5XW20.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import load_adult
    >>> row = "39, ?, 77516, Bachelors, 13, Divorced, ?, Husband, White, Male, 0, 0, 40, ?, >50K"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "adult").mkdir()
    ...     _ = (Path(folder) / "adult" / "adult.data").write_text(row + "\\n")
    ...     _ = (Path(folder) / "adult" / "adult.test").write_text("|1x3 Cross validator\\n" + row + ".\\n")
    ...     load_adult(folder).test[["age", "workclass", "education", "income"]]
       age workclass  education income
    0   39       NaN  Bachelors   >50K
    """
    folder = _find_folder("adult", ["adult.data", "adult.test"], data_dir, "fetch_adult()")
    train = [folder / "adult.data", *([folder / "adult.val"] if (folder / "adult.val").is_file() else [])]
    return Adult(_read_adult(train), _read_adult([folder / "adult.test"]))


def _find_folder(name: str, files: list[str], data_dir: str | os.PathLike | None, how: str) -> Path:
    bases = places_to_look(data_dir)
    for base in bases:
        for folder in (base / name, base):
            if all((folder / file).is_file() for file in files):
                return folder
    raise FileNotFoundError(
        f"No {name} tables: searched {' and '.join(map(str, bases))} for the folder {name} with {' and '.join(files)}. "
        f"Download them by `tabrec download {name}` or tabrec.datasets.{how}, or pass their folder as data_dir or in "
        f"the environment variable {DATA_DIR}."
    )


def _read_sales(path: Path) -> pd.DataFrame:
    table = read_table(path)
    if "saledate" not in table:
        raise ValueError(f"{path} has no column 'saledate': it is not a file of the competition.")
    if not pd.api.types.is_datetime64_any_dtype(table["saledate"]):
        try:
            dates = pd.to_datetime(table["saledate"].astype("str"), format="%m/%d/%Y %H:%M")
        except ValueError as error:
            raise ValueError(f"{path}: column 'saledate' has a value that is not a date: {error}") from error
        table["saledate"] = dates.astype("datetime64[ns]")
    return table


def _read_adult(paths: list[Path]) -> pd.DataFrame:
    table = pd.concat([_read_adult_file(path) for path in paths], ignore_index=True)
    table["income"] = table["income"].str.removesuffix(".")
    wrong = table.loc[~table["income"].isin(["<=50K", ">50K"]), "income"]
    if len(wrong):
        raise ValueError(f"{paths[0]}: column 'income' has {wrong.iloc[0]!r}, which is neither '<=50K' nor '>50K'.")
    return table.astype({name: "category" for name in _ADULT_COLUMNS if name not in _ADULT_NUMBERS})


def _read_adult_file(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path,
            names=_ADULT_COLUMNS,
            dtype={name: "int64" if name in _ADULT_NUMBERS else "str" for name in _ADULT_COLUMNS},
            index_col=False,
            skipinitialspace=True,
            na_values="?",
            comment="|",  # the first line of adult.test from UCI
        )
    except ValueError as error:  # errors of pandas are ValueErrors
        raise ValueError(f"{path} cannot be read as a table of {len(_ADULT_COLUMNS)} columns: {error}") from error
