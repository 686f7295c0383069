"""`check_submission`: comparison of a submission with the sample submission of a competition."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

_SHOWN = 5


def check_submission(
    submission: str | os.PathLike | pd.DataFrame,
    sample: str | os.PathLike | pd.DataFrame,
    *,
    id_column: str | None = None,
) -> None:
    """Check that a submission has the format of the sample submission.

    The columns must be those of the sample in the same order, the ids those of the sample in any order. Columns that
    are numeric in the sample must hold finite numbers.

    Parameters
    ----------
    submission : str, path-like or pandas.DataFrame
        The predictions: a CSV file, or the frame that will be written to it without its index.
    sample : str, path-like or pandas.DataFrame
        The sample submission. If a competition has none, pass a frame with the ids of its test table and zeros.
    id_column : str, default=None
        Column of the ids. None uses the first column of the sample.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ValueError
        If a file is not a table, or the submission does not have the format of the sample; the message lists every
        fault.

    See Also
    --------
    submit_kaggle : Checks and sends a submission.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.datasets import check_submission
    >>> test = pd.DataFrame({"Id": [1461, 1462], "LotArea": [11622, 14267]})
    >>> sample = test[["Id"]].assign(SalePrice=0.0)
    >>> check_submission(test[["Id"]].assign(SalePrice=[120_000.0, 160_000.0]), sample)
    >>> check_submission(test[["Id"]], sample)
    Traceback (most recent call last):
        ...
    ValueError: The submission does not have the format of the sample: its columns are 'Id', not 'Id', 'SalePrice'.
    """
    name = "The submission" if isinstance(submission, pd.DataFrame) else Path(submission).name
    wanted = _read(sample, id_column)
    if id_column is None:
        id_column = str(wanted.columns[0])
    elif id_column not in wanted.columns:
        raise ValueError(f"id_column={id_column!r} is not a column of the sample, which has {_listed(wanted.columns)}.")
    given = _read(submission, id_column)
    _refuse(name, _column_faults(given, wanted))
    values = [column for column in wanted.columns if column != id_column]
    faults = _id_faults(_as_ids(given[id_column]), _as_ids(wanted[id_column]))
    for column in values:
        faults += _value_faults(given, column, id_column, pd.api.types.is_numeric_dtype(wanted[column]))
    _refuse(name, faults)


def _refuse(name: str, faults: list[str]) -> None:
    if faults:
        raise ValueError(f"{name} does not have the format of the sample: {'; '.join(faults)}.")


def _read(table: str | os.PathLike | pd.DataFrame, id_column: str | None) -> pd.DataFrame:
    """Read a table, the ids of a CSV file as text."""
    if isinstance(table, pd.DataFrame):
        return table.set_axis([str(name) for name in table.columns], axis=1)
    path = Path(table)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        if id_column is None:
            id_column = str(pd.read_csv(path, nrows=0).columns[0])
        return pd.read_csv(path, dtype={id_column: str}, low_memory=False)
    except (ValueError, IndexError) as error:  # errors of pandas are ValueErrors
        raise ValueError(f"{path} cannot be read as a CSV: {error}") from error


def _column_faults(given: pd.DataFrame, wanted: pd.DataFrame) -> list[str]:
    if list(given.columns) == list(wanted.columns):
        return []
    return [f"its columns are {_listed(given.columns)}, not {_listed(wanted.columns)}"]


def _as_ids(ids: pd.Series) -> pd.Series:
    return ids.astype(object).where(ids.notna(), "missing").map(str).reset_index(drop=True)


def _id_faults(given: pd.Series, wanted: pd.Series) -> list[str]:
    faults = []
    if len(given) != len(wanted):
        rows = "1 row" if len(given) == 1 else f"{len(given):,} rows"
        faults.append(f"{rows}, the sample has {len(wanted):,}")
    n_given, n_wanted = Counter(given), Counter(wanted)
    lacking = list((n_wanted - n_given).keys())
    unknown = [name for name in n_given if name not in n_wanted]
    repeated = [name for name in n_given if 0 < n_wanted[name] < n_given[name]]
    if lacking:
        faults.append(f"{_ids_are(lacking)} missing: {_first(lacking)}")
    if unknown:
        faults.append(f"{_ids_are(unknown)} not in the sample: {_first(unknown)}")
    if repeated:
        faults.append(f"{_ids_are(repeated)} repeated: {_first(repeated)}")
    return faults


def _value_faults(given: pd.DataFrame, column: str, id_column: str, is_number: bool) -> list[str]:
    values, ids = given[column], given[id_column]
    missing = values.isna().to_numpy()
    faults = _count(missing, "missing value", column, ids)
    if is_number:
        numbers = pd.to_numeric(values.astype(object), errors="coerce").astype("float64").to_numpy()
        faults += _count(np.isinf(numbers), "infinite value", column, ids)
        faults += _count(np.isnan(numbers) & ~missing, "value that is not a number", column, ids)
    return faults


def _count(is_bad: np.ndarray, what: str, column: str, ids: pd.Series) -> list[str]:
    n = int(is_bad.sum())
    if n == 0:
        return []
    many = what if n == 1 else what.replace("value", "values", 1).replace("is not a number", "are not numbers")
    return [f"column {column!r} has {n:,} {many}, first for id {ids.iloc[int(np.flatnonzero(is_bad)[0])]}"]


def _ids_are(names: list[str]) -> str:
    return "1 id is" if len(names) == 1 else f"{len(names):,} ids are"


def _first(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _listed(names: pd.Index) -> str:
    return ", ".join(repr(str(name)) for name in names)
