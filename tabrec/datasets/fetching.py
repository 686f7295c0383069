"""`fetch_dataset`: download a data set by its short name."""

from __future__ import annotations

import os
from pathlib import Path

from tabrec.datasets.grouplens import fetch_movielens
from tabrec.datasets.kaggle_competitions import BULLDOZERS, HOUSE_PRICES, fetch_kaggle
from tabrec.datasets.uci import fetch_adult

_COMPETITIONS = {"bulldozers": BULLDOZERS, "house-prices": HOUSE_PRICES}
DATASETS = {
    "bulldozers": "Blue Book for Bulldozers, auction prices (Kaggle)",
    "house-prices": "House Prices, Ames, Iowa (Kaggle)",
    "adult": "Adult census income (UCI)",
    "movielens-100k": "MovieLens, 100,000 ratings of 1998 (GroupLens)",
    "movielens-latest-small": "MovieLens, 100,836 ratings to 2018 (GroupLens)",
    "movielens-1m": "MovieLens, 1 million ratings of 2000 (GroupLens)",
    "movielens-25m": "MovieLens, 25 million ratings to 2019 (GroupLens)",
}
"""Descriptions of the data sets by name, as `fetch_dataset` takes it; it also takes ``kaggle:<competition>``.

See Also
--------
fetch_dataset : Downloads a data set by its name.
"""


def fetch_dataset(name: str, data_dir: str | os.PathLike | None = None, *, verbose: bool = True) -> Path:
    """Download a data set by its short name, unless it exists already.

    Parameters
    ----------
    name : str
        A key of `DATASETS`, or ``"kaggle:<competition>"`` for any other Kaggle competition.
    data_dir : str or path-like, default=None
        Folder for data sets; each has a folder of its own in it. None uses the environment variable
        TABREC_DATA_DIR or, if that is not set, ``~/.cache/tabrec``.
    verbose : bool, default=True
        Whether to show progress on standard error, if that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder with the files.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    tabrec.datasets.FetchError
        If the data set cannot be downloaded; the message says why and how to fix it. It is an OSError.

    See Also
    --------
    fetch_kaggle, fetch_movielens, fetch_adult : Downloads by source, which this function calls.

    Examples
    --------
    >>> from tabrec.datasets import DATASETS, fetch_dataset
    >>> list(DATASETS)[:3]
    ['bulldozers', 'house-prices', 'adult']
    >>> fetch_dataset("titanic")
    Traceback (most recent call last):
        ...
    ValueError: name='titanic' must be one of bulldozers, house-prices, adult, ... or kaggle:<competition>.
    """
    competition = _COMPETITIONS.get(name) or (name.removeprefix("kaggle:") if name.startswith("kaggle:") else None)
    if competition is not None:
        return fetch_kaggle(competition, data_dir, verbose=verbose)
    if name == "adult":
        return fetch_adult(data_dir, verbose=verbose)
    if name in DATASETS:
        return fetch_movielens(name.removeprefix("movielens-"), data_dir, verbose=verbose)
    raise ValueError(f"name={name!r} must be one of {', '.join(DATASETS)}, or kaggle:<competition>.")
