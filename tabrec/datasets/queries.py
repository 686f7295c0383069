"""`read_query`: the result of a database query as a raw frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from tabrec.datasets._formats import text_as_categories


def read_query(query: str, connection: Any) -> pd.DataFrame:
    """Read the result of a database query into a pandas frame, with text as ``category`` columns.

    Parameters
    ----------
    query : str
        A query in SQL, or the name of a table.
    connection : str or connection
        An address as SQLAlchemy takes it, such as ``"sqlite:///sales.db"`` or
        ``"postgresql://user:password@host/database"``, or an open connection or engine.

    Returns
    -------
    pandas.DataFrame
        A new frame with a default index.

    Raises
    ------
    ValueError
        The database cannot be opened, the query fails, or its result has no rows.
    ImportError
        SQLAlchemy is not installed: ``pip install 'tabrec[sql]'``.

    See Also
    --------
    read_table : Reads a file.

    Examples
    --------
    >>> import sqlite3
    >>> from tabrec.datasets import read_query
    >>> connection = sqlite3.connect(":memory:")
    >>> _ = connection.execute("create table sales (state text, price real)")
    >>> _ = connection.execute("insert into sales values ('Ohio', 9500), ('Iowa', 14000)")
    >>> read_query("select * from sales where price > 10000", connection)
      state    price
    0  Iowa  14000.0
    """
    if not query.strip():
        raise ValueError("The query is empty (--query).")
    text = query if len(query.split()) > 1 else f'select * from "{query.strip()}"'
    if isinstance(connection, str):
        frame = _read_from_address(text, connection)
    else:
        frame = _run(text, connection, "the database")
    if len(frame) == 0:
        raise ValueError(f"The query gives no rows: {_shorten(query)}")
    if not frame.columns.is_unique:
        repeated = frame.columns[frame.columns.duplicated()].tolist()
        raise ValueError(f"The query gives several columns named {repeated}: rename them, as in select a.id as a_id.")
    frame = text_as_categories(frame)
    frame.attrs["assumed"] = []
    return frame


def _read_from_address(query: str, address: str) -> pd.DataFrame:
    try:
        import sqlalchemy
    except ImportError as error:
        raise ImportError("A database is read with SQLAlchemy: pip install 'tabrec[sql]'.") from error
    try:
        url = sqlalchemy.make_url(address)
        shown = url.render_as_string(hide_password=True)
        is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        # SQLite would create a missing file.
        if is_file and not Path(str(url.database)).is_file():
            raise FileNotFoundError(f"There is no file {url.database} (--from).")
        engine = sqlalchemy.create_engine(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise ValueError(
            "The address of a database has the form sqlite:///sales.db or "
            "postgresql://user:password@host/database (--from)."
        ) from error
    except (sqlalchemy.exc.NoSuchModuleError, ImportError) as error:
        raise ImportError(f"{shown} needs a driver that is not installed: {error} (--from).") from error
    try:
        with engine.connect() as connection:
            return _run(sqlalchemy.text(query), connection, shown)
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise ValueError(f"{shown} cannot be opened: {_cause(error)} (--from).") from error
    finally:
        engine.dispose()


def _run(query: Any, connection: Any, shown: str) -> pd.DataFrame:
    try:
        return pd.read_sql_query(query, connection)
    except Exception as error:  # every driver has its own errors
        raise ValueError(f"The query to {shown} fails: {_cause(error)}. Check --query: {_shorten(query)}") from error


def _cause(error: BaseException) -> str:
    """Return the message of the database, without the additions of SQLAlchemy and pandas."""
    said = getattr(error, "orig", None) or error.__cause__ or error
    return " ".join(str(getattr(said, "orig", None) or said).split())


def _shorten(query: Any) -> str:
    text = " ".join(str(query).split())
    return text[:120] + "…" * (len(text) > 120)
