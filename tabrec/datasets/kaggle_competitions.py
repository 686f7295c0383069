"""`fetch_kaggle` and `submit_kaggle`: a competition's files, and an entry to it."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from tabrec.datasets._data_folders import fetch_folder
from tabrec.datasets._download import download
from tabrec.datasets._errors import FetchError, Interruption
from tabrec.datasets._kaggle_api import KaggleApi
from tabrec.datasets._unpack import unpack
from tabrec.datasets.submissions import check_submission

BULLDOZERS = "bluebook-for-bulldozers"
HOUSE_PRICES = "house-prices-advanced-regression-techniques"
# the folder of a competition that has a short name, and the files that its loader needs
_FOLDERS = {
    BULLDOZERS: ("bulldozers", ("Train.csv", "Valid.csv")),
    HOUSE_PRICES: ("house-prices", ("train.csv", "test.csv")),
}
_SAMPLES = ("*ample*ubmission*.csv", "random_forest_benchmark_test.csv")


def fetch_kaggle(competition: str, data_dir: str | os.PathLike | None = None, *, verbose: bool = True) -> Path:
    """Download the files of a Kaggle competition, unless they are there already.

    Needs the ``kaggle`` extra, an account at Kaggle's that has accepted the rules of the competition, and its
    credentials.

    Parameters
    ----------
    competition : str
        The name in the address of the competition's page, as ``"bluebook-for-bulldozers"``.
    data_dir : str or path-like, default=None
        The folder in which the competition gets a folder of its own: ``bulldozers`` and ``house-prices`` for the two
        that have a loader here, else named as the competition. None takes the environment variable
        TABREC_DATA_DIR, or, if that is not set, ``~/.cache/tabrec``.
    verbose : bool, default=True
        Whether to show progress on standard error, if that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder with the files. Zip files among them are unpacked; other archives (``.7z``) are left as they are.

    Raises
    ------
    ValueError
        If `competition` cannot be a name.
    tabrec.datasets.FetchError
        If the files cannot be had: no credentials, or malformed ones, or ones that other users can read; rules not
        accepted; no such competition; too many requests; no network; a full or read-only disk. The message says what
        to do about it.

    See Also
    --------
    load_bulldozers, load_house_prices : Read what this downloads.
    submit_kaggle : Send an entry.

    Notes
    -----
    Credentials are taken from the first of: the environment variable KAGGLE_API_TOKEN, the file
    ``~/.kaggle/access_token``, the environment variables KAGGLE_USERNAME and KAGGLE_KEY, ``kaggle.json`` in the
    folder KAGGLE_CONFIG_DIR, or else in ``~/.kaggle`` or ``~/.config/kaggle``, and what ``kaggle auth login`` has
    left. Files must be readable by their owner only. Secrets are never printed.

    A download that was cut goes on where it was at the next call.

    References
    ----------
    https://github.com/Kaggle/kaggle-api

    Examples
    --------
    What is there already is left as it is, and neither the network nor credentials are asked:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import fetch_kaggle
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "bulldozers").mkdir()
    ...     for name in ["Train.csv", "Valid.csv"]:
    ...         (Path(folder) / "bulldozers" / name).touch()
    ...     fetch_kaggle("bluebook-for-bulldozers", folder).name
    'bulldozers'
    """
    _check_competition(competition)
    name, needed = _FOLDERS.get(competition, (competition, ()))

    def fill(folder: Path, work: Path) -> None:
        archive = work / f"{name}.zip"
        if not archive.exists():
            api = KaggleApi(competition)
            download(api.request_for_all_files, archive, verbose=verbose, explain=_explain_storage)
        unpack(archive, folder, inner=True)

    return fetch_folder(name, data_dir, needed, fill)


def submit_kaggle(
    competition: str,
    file: str | os.PathLike,
    message: str,
    *,
    sample: str | os.PathLike | pd.DataFrame | None = None,
    data_dir: str | os.PathLike | None = None,
) -> str:
    """Send an entry to a Kaggle competition, after checking it against the sample submission.

    Parameters
    ----------
    competition : str
        The name in the address of the competition's page.
    file : str or path-like
        The entry, a CSV.
    message : str
        What to remember it by.
    sample : str, path-like or pandas.DataFrame, default=None
        The sample submission: a CSV, or a frame. None takes the one among the competition's files, which are
        downloaded if they are not there.
    data_dir : str or path-like, default=None
        Where the competition's folder is; see `fetch_kaggle`.

    Returns
    -------
    str
        What Kaggle answers.

    Raises
    ------
    FileNotFoundError
        If there is no `file`.
    ValueError
        If the entry does not have the form of the sample; nothing is sent. Or if the competition's files hold no
        sample; then give one.
    tabrec.datasets.FetchError
        If Kaggle cannot be reached or refuses; the message says why.

    See Also
    --------
    check_submission : The check alone.

    Examples
    --------
    An entry that cannot be right is not sent:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from tabrec.datasets import submit_kaggle
    >>> sample = pd.DataFrame({"Id": [1461, 1462], "SalePrice": [0.0, 0.0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "submission.csv"
    ...     _ = file.write_text("Id,SalePrice\\n1461,120000\\n")
    ...     submit_kaggle("house-prices-advanced-regression-techniques", file, "forest", sample=sample)
    Traceback (most recent call last):
        ...
    ValueError: submission.csv is not in the form of the sample: 1 row, the sample has 2; it lacks 1 of its ids: 1462.
    """
    _check_competition(competition)
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} to submit.")
    if sample is None:
        sample = _find_sample(competition, fetch_kaggle(competition, data_dir))
    check_submission(path, sample)
    return KaggleApi(competition).submit(path, message)


def _find_sample(competition: str, folder: Path) -> Path:
    found = [path for pattern in _SAMPLES for path in sorted(folder.rglob(pattern))]
    if not found:
        raise ValueError(
            f"{folder} holds no sample submission of {competition}: give one as sample, a CSV or a frame with the ids "
            "to predict and a column of numbers."
        )
    return found[0]


def _explain_storage(status: int, retry_after: float | None) -> FetchError | None:
    """The storage refuses an address whose time is over; each try asks for a new one."""
    if status in (400, 401, 403):
        return Interruption(f"Kaggle's storage refuses the download (status {status}): try again later.", retry_after)
    return None


def _check_competition(competition: str) -> None:
    """A name that becomes a folder's is no path."""
    if not isinstance(competition, str) or not competition.isascii() or not competition.replace("-", "").isalnum():
        raise ValueError(
            f"competition={competition!r} must be the name in the address of its page: letters, digits and hyphens, as "
            f"{HOUSE_PRICES}."
        )
