"""`load_movielens` and its parts: MovieLens releases, read from a folder or a zip file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tabrec.datasets._movielens_files import (
    Folder,
    read_movies_csv,
    read_movies_dat,
    read_ratings,
    read_u_item,
    read_u_user,
    read_users_dat,
)
from tabrec.datasets.places import DATA_DIR, places_to_look

SIZES = ("100k", "latest-small", "1m", "25m")
FILES = {
    "100k": ("u.data", "u.item", "u.user", "u.genre"),
    "1m": ("ratings.dat", "movies.dat", "users.dat"),
    "latest-small": ("ratings.csv", "movies.csv"),
    "25m": ("ratings.csv", "movies.csv"),
}
_ADDRESS = "grouplens.org/datasets/movielens"


class MovieLens(NamedTuple):
    """A MovieLens release: ratings, users and items.

    Attributes
    ----------
    ratings : pandas.DataFrame of shape (n_ratings, 4)
        ``user`` (int64), ``item`` (int64), ``rating`` (float64) and ``timestamp`` (int64, seconds since
        1970-01-01 UTC), in the order of the file.
    users : pandas.DataFrame of shape (n_users, 4), or None
        By user id: ``age`` (int64; in "1m" the first year of the age band, 1 for under 18), ``gender`` ("M"
        or "F"), ``occupation`` and ``zip_code`` (text). None for "latest-small" and "25m", which have
        no information about users.
    items : pandas.DataFrame of shape (n_items, 2 + n_genres)
        By item id: ``title`` (text, which ends in the year in parentheses), ``year`` (float64, NaN if unknown; from the
        release date in "100k", otherwise from the title) and one bool column for each genre.
    """

    ratings: pd.DataFrame
    users: pd.DataFrame | None
    items: pd.DataFrame


def load_movielens(size: str, data_dir: str | os.PathLike | None = None) -> MovieLens:
    """Read a MovieLens release from the files of GroupLens.

    Parameters
    ----------
    size : {"100k", "latest-small", "1m", "25m"}
        Release to read.
    data_dir : str or path-like, default=None
        A folder that contains the release under its name by GroupLens, unpacked (``ml-100k``) or not
        (``ml-100k.zip``), or that folder or zip file itself. None searches the folder of the environment variable
        TABREC_DATA_DIR, if it is set, and then ``~/.cache/tabrec``.

    Returns
    -------
    MovieLens
        A named tuple ``(ratings, users, items)`` of frames.

    Raises
    ------
    FileNotFoundError
        If the release or one of its files does not exist; `fetch_movielens` downloads it.
    ValueError
        If `size` is not a release, or a file is malformed; the message names the file and the line.

    See Also
    --------
    fetch_movielens : Downloads a release from GroupLens.
    load_movielens_interactions : The ratings as interactions, for models that learn from clicks.
    load_movielens_fold : The official folds of the 100k release.
    make_ratings : Generates ratings with the same columns.

    References
    ----------
    F. M. Harper, J. A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5 (4), 2015.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import load_movielens
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     release = Path(folder) / "ml-latest-small"
    ...     release.mkdir()
    ...     _ = (release / "ratings.csv").write_text("userId,movieId,rating,timestamp\\n1,7,4.5,964982703\\n")
    ...     _ = (release / "movies.csv").write_text("movieId,title,genres\\n7,Sabrina (1995),Comedy|Romance\\n")
    ...     ratings, users, items = load_movielens("latest-small", folder)
    >>> ratings
       user  item  rating  timestamp
    0     1     7     4.5  964982703
    >>> items
                   title    year  Comedy  Romance
    item
    7     Sabrina (1995)  1995.0    True     True
    """
    if size not in SIZES:
        raise ValueError(f"size={size!r} must be one of {', '.join(map(repr, SIZES))}.")
    with _open_release(size, data_dir) as folder:
        _check_files(folder, FILES[size])
        if size == "100k":
            return MovieLens(read_ratings(folder / "u.data", "\t"), read_u_user(folder), read_u_item(folder))
        if size == "1m":
            ratings = read_ratings(folder / "ratings.dat", "::")
            return MovieLens(ratings, read_users_dat(folder), read_movies_dat(folder))
        return MovieLens(read_ratings(folder / "ratings.csv", ","), None, read_movies_csv(folder))


def load_movielens_interactions(
    size: str, data_dir: str | os.PathLike | None = None, *, min_rating: float | None = None
) -> pd.DataFrame:
    """Read a MovieLens release as interactions: user, item and time, with the rating as strength.

    Parameters
    ----------
    size : {"100k", "latest-small", "1m", "25m"}
        Release to read.
    data_dir : str or path-like, default=None
        Folder of the release; see `load_movielens`.
    min_rating : float, default=None
        Least rating of an interaction; lower ones are left out. None keeps all: a low rating, too, is of an item that
        the user chose.

    Returns
    -------
    pandas.DataFrame of shape (n_interactions, 4)
        ``user`` (int64), ``item`` (int64), ``timestamp`` (int64, seconds since 1970-01-01 UTC) and ``strength``
        (float64, the rating), in the order of the file.

    Raises
    ------
    FileNotFoundError
        If the release or one of its files does not exist.
    ValueError
        If `size` is not a release, a file is malformed, or no rating is at least `min_rating`.

    See Also
    --------
    load_movielens : The ratings, with users and items.
    make_interactions : Generates interactions.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import load_movielens_interactions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     release = Path(folder) / "ml-latest-small"
    ...     release.mkdir()
    ...     lines = "userId,movieId,rating,timestamp\\n1,7,4.5,964982703\\n1,9,2.0,964982704\\n"
    ...     _ = (release / "ratings.csv").write_text(lines)
    ...     _ = (release / "movies.csv").write_text("movieId,title,genres\\n7,Sabrina (1995),Comedy\\n")
    ...     interactions = load_movielens_interactions("latest-small", folder, min_rating=4)
    >>> interactions
       user  item  timestamp  strength
    0     1     7  964982703       4.5
    """
    ratings = load_movielens(size, data_dir).ratings
    if min_rating is not None:
        greatest = ratings["rating"].max()
        ratings = ratings[ratings["rating"] >= min_rating].reset_index(drop=True)
        if not len(ratings):
            raise ValueError(f"No rating is at least min_rating={min_rating!r}; the greatest is {greatest:g}.")
    return ratings.rename(columns={"rating": "strength"})[["user", "item", "timestamp", "strength"]]


def load_movielens_fold(n: int | str, data_dir: str | os.PathLike | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read an official split of the MovieLens 100k ratings into training and test.

    Parameters
    ----------
    n : {1, 2, 3, 4, 5, "ua", "ub"}
        Split. 1 to 5 are the folds of a five-fold cross-validation with 20,000 test ratings each; "ua" and "ub" test
        on ten ratings of each user.
    data_dir : str or path-like, default=None
        Folder of the release; see `load_movielens`.

    Returns
    -------
    train, test : pandas.DataFrame
        Columns ``user``, ``item``, ``rating`` and ``timestamp``, as in `load_movielens`.

    Raises
    ------
    FileNotFoundError
        If the release or the files of the fold do not exist.
    ValueError
        If `n` is not a fold, or a file is malformed.

    See Also
    --------
    load_movielens : All ratings, with users and items.

    Notes
    -----
    The folds are not a random split: the first is harder than the others by about 0.01 in RMSE. Results are comparable
    only on the same folds.

    References
    ----------
    The README of the release, https://files.grouplens.org/datasets/movielens/ml-100k-README.txt.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import load_movielens_fold
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     release = Path(folder) / "ml-100k"
    ...     release.mkdir()
    ...     for name in ["u.data", "u.item", "u1.base", "u1.test"]:
    ...         _ = (release / name).write_text("1\\t6\\t4\\t881250949\\n")
    ...     train, test = load_movielens_fold(1, folder)
    >>> test
       user  item  rating  timestamp
    0     1     6     4.0  881250949
    """
    folds = [1, 2, 3, 4, 5, "ua", "ub"]
    if isinstance(n, bool) or n not in folds:
        raise ValueError(f"n={n!r} must be one of {', '.join(map(repr, folds))}.")
    name = n if isinstance(n, str) else f"u{n}"
    files = [f"{name}.base", f"{name}.test"]
    with _open_release("100k", data_dir) as folder:
        _check_files(folder, files)
        train, test = (read_ratings(folder / file, "\t") for file in files)
    return train, test


def find_movielens(path: str | os.PathLike) -> str | None:
    """Return the MovieLens release in a folder or a zip file: a size that `load_movielens` takes, or None.

    A folder or zip file with a name of GroupLens is that release if the files are in it. Under any other name, the
    release is recognised by its files. None is returned for releases that `load_movielens` does not read, such as
    ``ml-20m``.
    """
    path = Path(path)
    try:
        with _open_folder(path) as folder:
            return None if folder is None else _release_in(folder, path)
    except (zipfile.BadZipFile, OSError):
        return None


def _release_in(folder: Folder, path: Path) -> str | None:
    names = [name.removeprefix("ml-") for name in (folder.name, path.stem) if name.startswith("ml-")]
    size = next((name for name in names if name in SIZES), None)
    if size is None:
        if names:
            return None
        # Only the large releases have this file.
        csv_size = "25m" if (folder / "genome-scores.csv").is_file() else "latest-small"
        size = next((size for size in ("100k", "1m", csv_size) if _has_files(folder, size)), None)
    return size if size is not None and _has_files(folder, size) else None


def _has_files(folder: Folder, size: str) -> bool:
    # Ratings and titles identify the 100k release.
    return all((folder / name).is_file() for name in (FILES[size][:2] if size == "100k" else FILES[size]))


@contextmanager
def _open_folder(path: Path) -> Iterator[Folder | None]:
    """Yield the folder of a release: `path`, or the only folder in the zip file `path`; None if there is none."""
    if path.is_dir():
        yield path.resolve()
    elif path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            root = zipfile.Path(archive)
            folders = [entry for entry in root.iterdir() if entry.is_dir() and entry.name != "__MACOSX"]
            yield folders[0] if len(folders) == 1 else root
    else:
        yield None


@contextmanager
def _open_release(size: str, data_dir: str | os.PathLike | None) -> Iterator[Folder]:
    bases = places_to_look(data_dir)
    for base in bases:
        for place in (base, base / f"ml-{size}", base / f"ml-{size}.zip"):
            if find_movielens(place) == size:
                with _open_folder(place) as folder:
                    assert folder is not None
                    yield folder
                return
    others = [f" {base} is the release {found!r}." for base in bases if (found := find_movielens(base))]
    raise FileNotFoundError(
        f"No MovieLens {size} release: searched {' and '.join(map(str, bases))} for the folder ml-{size} or "
        f"ml-{size}.zip with {', '.join(FILES[size])}, and for these files.{''.join(others)} Download it by "
        f"`tabrec download movielens-{size}` or tabrec.datasets.fetch_movielens({size!r}), or pass its folder as "
        f"data_dir or in the environment variable {DATA_DIR}."
    )


def _check_files(folder: Folder, names: tuple[str, ...] | list[str]) -> None:
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise FileNotFoundError(
            f"{folder} does not contain {', '.join(absent)}: the release is incomplete. Download it from {_ADDRESS}."
        )
