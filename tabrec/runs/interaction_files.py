"""`read_interactions`: files of interactions, in the usual layouts of people and other libraries."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import scipy.sparse as sp

from tabrec.datasets import NoHeaderError, read_baskets, read_table
from tabrec.datasets.movielens import find_movielens
from tabrec.runs.rating_run import read_ratings

_MATRIX_SUFFIX = ".npz"
_SCHEMA = "schema.json"
# Separators of items in a field; commas and spaces are not, as titles contain them.
_MARKS = ("|", ";", ",", " ")
_MARKS_OF_TITLES = (",", " ")
_LIST_NAME = re.compile(r".*s|.*(basket|cart|list|history|sequence).*", re.IGNORECASE)
_SAMPLE, _LEAST_SHARE = 1_000, 0.25
_WHOLE_NUMBER = r"0|-?[1-9]\d{0,17}"


def read_interactions(
    path: str | os.PathLike, *, user: str | None = None, item: str | None = None, baskets: bool = False, **options: Any
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Read interactions, and the side tables that come with them.

    Ids in a text file are whole numbers if all are written as such, and otherwise text exactly as written.

    Parameters
    ----------
    path : str or path-like
        One of these:

        - a file that `tabrec.datasets.read_table` reads, with columns of users, items and, maybe, times and strengths.
          Without a header, the first two columns that are not times or fractions are users and items, and the others
          are found by their content; text after them, such as the names of artists in the files of Last.fm that
          implicit uses, is left out. Lists of items, such as ``7|8|9`` in a column ``items``, become a row for each
          item;
        - the folder or zip of a MovieLens release: items are named by their titles, ratings are strengths;
        - a ``.npz`` file of a sparse matrix of users and items, as ``scipy.sparse.save_npz`` writes it;
        - a folder that LensKit saved (``Dataset.save``).
    user, item : str, default=None
        Columns of the ids.
    baskets : bool, default=False
        Whether each line of the file is a basket: items with a delimiter in between. Baskets are numbered from 1 and
        take the place of users; see `tabrec.datasets.read_baskets`.
    **options
        Options of `tabrec.datasets.read_table`, or ``delimiter`` and ``encoding`` for baskets.

    Returns
    -------
    interactions : pandas.DataFrame
        A row for each interaction.
    tables : dict of str to pandas.DataFrame
        `user_features` and `item_features`, if present: arguments of `rank`.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ValueError
        The file is malformed, or has fewer than two columns.

    See Also
    --------
    rank : Train a recommender on interactions.
    tabrec.datasets.read_baskets : Read baskets alone.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.runs import read_interactions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "plays.tsv"
    ...     _ = file.write_text("u1\\t7\\t1500000000\\nu2\\t8\\t1500000100\\nu1\\t9\\t1500000200\\n")
    ...     interactions, tables = read_interactions(file)
    >>> interactions.columns.tolist()
    ['user', 'item', 'timestamp']
    """
    path = Path(path)
    if baskets:
        return read_baskets(path, **options), {}
    if find_movielens(path) is not None:
        return read_ratings(path)
    if path.suffix == _MATRIX_SUFFIX:
        return _read_matrix(path), {}
    if (path / _SCHEMA).is_file():
        return _read_lenskit(path), {}
    return _split_lists(_read_text(path, user, item, options), user, item), {}


def _read_text(path: Path, user: str | None, item: str | None, options: dict[str, Any]) -> pd.DataFrame:
    from tabrec.collab.rating_columns import find_ids_without_header, find_interaction_columns

    def find_ids(head: pd.DataFrame) -> list[str]:
        given = [name if name in head.columns else None for name in (user, item)]
        try:
            return list(find_interaction_columns(head, user=given[0], item=given[1])[:2])
        except ValueError:  # `rank` raises the error, unless it is given the columns.
            return [name for name in (user, item) if name is not None and name in head.columns]

    if options.get("header") is not False or options.get("names") is not None:
        try:
            return read_table(path, id_columns=find_ids, **options)
        except NoHeaderError as error:
            if error.n_fields < 2 or (user, item) != (None, None):
                raise
    frame = read_table(path, **{**options, "header": False}, id_columns=find_ids_without_header)
    return _name_columns(frame, path)


def _name_columns(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Name the columns of a file without a header: user, item, and by content time and strength."""
    from tabrec.collab.rating_columns import describe_column, find_ids_without_header

    if frame.shape[1] < 2:
        raise ValueError(f"{path} has {frame.shape[1]} column, but interactions need at least a user and an item.")
    ids = find_ids_without_header(frame)
    roles = dict(zip(ids, ("user", "item"), strict=True))
    for name in frame.columns.drop(ids):
        role = {"times": "timestamp", "dates": "timestamp", "numbers": "strength"}.get(describe_column(frame[name]))
        if role is not None and role not in roles.values():
            roles[name] = role
    return frame[list(roles)].rename(columns=roles)


def _split_lists(frame: pd.DataFrame, user: str | None, item: str | None) -> pd.DataFrame:
    """Split lists of items such as "7|8|9" into rows, if the items recur more often than the whole lists."""
    from tabrec.collab.rating_columns import find_interaction_columns

    try:
        columns = find_interaction_columns(frame, user=user, item=item)
    except ValueError:  # `rank` raises the error.
        return frame
    mark = _find_mark(frame, columns.user, columns.item)
    if mark is None:
        return frame
    texts = frame[columns.item].dropna().astype(str)
    items = texts.str.strip("[](){} ").str.split(mark).explode().str.strip(" '\"")
    items = items[items != ""]
    if len(items) * texts.nunique() <= len(texts) * items.nunique():
        return frame
    split = frame.drop(columns=columns.item).join(_as_ids(items).rename(columns.item), how="inner")
    split = split[frame.columns].reset_index(drop=True)
    split.attrs = {**frame.attrs, "assumed": [*frame.attrs["assumed"], f"{columns.item!r} split at {mark!r}"]}
    return split


def _find_mark(frame: pd.DataFrame, user: str, item: str) -> str | None:
    """Return the separator of items, if each user has one row or the column has a usual name of lists."""
    texts = frame[item].dropna().head(_SAMPLE).astype(str)
    marks = [mark for mark in _MARKS if texts.str.contains(mark, regex=False).mean() > _LEAST_SHARE]
    if not marks:
        return None
    is_list, is_alone = _LIST_NAME.fullmatch(item) is not None, frame[user].is_unique
    safe = [mark for mark in marks if (is_list and is_alone if mark in _MARKS_OF_TITLES else is_list or is_alone)]
    return safe[0] if safe else None


def _as_ids(items: pd.Series) -> pd.Series:
    """Convert ids to whole numbers if all are written as such; otherwise keep text."""
    return items.astype("int64") if items.str.fullmatch(_WHOLE_NUMBER).all() else items


def _read_matrix(path: Path) -> pd.DataFrame:
    try:
        matrix = sp.coo_array(sp.load_npz(path))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} does not hold a sparse matrix of scipy: {error}.") from error
    return pd.DataFrame({"user": matrix.coords[0], "item": matrix.coords[1], "strength": matrix.data})


def _read_lenskit(folder: Path) -> pd.DataFrame:
    """Read the interactions of a data set saved by LensKit, which numbers users and items, with their ids."""
    schema = json.loads((folder / _SCHEMA).read_text(encoding="utf-8"))
    name = schema.get("default_interaction")
    if name is None:
        raise ValueError(f"{folder / _SCHEMA} names no default_interaction: it is not a data set of LensKit with one.")
    frame = pd.read_parquet(folder / f"{name}.parquet")
    for kind in ("user", "item"):
        ids = pd.read_parquet(folder / f"{kind}.parquet")[f"{kind}_id"]
        frame[kind] = ids.take(frame.pop(f"{kind}_num").to_numpy()).to_numpy()
    rest = [column for column in frame.columns if column not in ("user", "item")]
    return frame[["user", "item", *rest]]
