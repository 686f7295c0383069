"""`fetch_kaggle` and `submit_kaggle`: download the files of a Kaggle competition, and submit predictions to it."""

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
# Folder and required files of each competition that has a loader.
_FOLDERS = {
    BULLDOZERS: ("bulldozers", ("Train.csv", "Valid.csv")),
    HOUSE_PRICES: ("house-prices", ("train.csv", "test.csv")),
}
_SAMPLES = ("*ample*ubmission*.csv", "random_forest_benchmark_test.csv")


def fetch_kaggle(competition: str, data_dir: str | os.PathLike | None = None, *, verbose: bool = True) -> Path:
    """Download the files of a Kaggle competition, unless they exist already.

    This requires the ``kaggle`` extra and the credentials of a Kaggle account that has accepted the rules of the
    competition.

    Parameters
    ----------
    competition : str
        Name in the address of the page of the competition, such as ``"bluebook-for-bulldozers"``.
    data_dir : str or path-like, default=None
        Folder for data sets; the competition has a folder in it: ``bulldozers`` or ``house-prices`` for the two with a
        loader, otherwise the name of the competition. None uses the environment variable TABREC_DATA_DIR or, if that
        is not set, ``~/.cache/tabrec``.
    verbose : bool, default=True
        Whether to show progress on standard error, if that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder with the files. Zip files among them are unpacked; other archives (``.7z``) are not.

    Raises
    ------
    ValueError
        If `competition` is not a valid name.
    tabrec.datasets.FetchError
        If the files cannot be downloaded: credentials are absent, malformed or readable by other users, the rules are
        not accepted, the competition does not exist, there were too many requests, there is no network, or the disk is
        full or read-only. The message says how to fix it.

    See Also
    --------
    load_bulldozers, load_house_prices : Read the downloaded files.
    submit_kaggle : Sends a submission.

    Notes
    -----
    Credentials are read from the first that exists of the environment variable KAGGLE_API_TOKEN, the file
    ``~/.kaggle/access_token``, the environment variables KAGGLE_USERNAME and KAGGLE_KEY, ``kaggle.json`` in the
    folder KAGGLE_CONFIG_DIR or else in ``~/.kaggle`` or ``~/.config/kaggle``, and the login of ``kaggle auth login``.
    Files must be readable by their owner only. Secrets are never printed.

    An interrupted download is resumed by the next call.

    References
    ----------
    https://github.com/Kaggle/kaggle-api

    Examples
    --------
    Existing files are kept, without any request and without credentials:

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
    """Send a submission to a Kaggle competition, after comparing it with the sample submission.

    Parameters
    ----------
    competition : str
        Name in the address of the page of the competition.
    file : str or path-like
        The submission, a CSV file.
    message : str
        Description of the submission.
    sample : str, path-like or pandas.DataFrame, default=None
        The sample submission, a CSV file or a frame. None uses the one among the files of the competition, which are
        downloaded if necessary.
    data_dir : str or path-like, default=None
        Folder for data sets; see `fetch_kaggle`.

    Returns
    -------
    str
        The response of Kaggle.

    Raises
    ------
    FileNotFoundError
        If `file` does not exist.
    ValueError
        If the submission does not have the format of the sample, in which case nothing is sent, or if the files of the
        competition contain no sample.
    tabrec.datasets.FetchError
        If Kaggle cannot be reached or refuses the submission; the message says why.

    See Also
    --------
    check_submission : The comparison alone.

    Examples
    --------
    An invalid submission is not sent:

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
    ValueError: submission.csv does not have the format of the sample: 1 row, the sample has 2; 1 id is missing: 1462.
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
            f"{folder} contains no sample submission of {competition}: pass one as sample, a CSV file or a frame with "
            "the ids to predict and a column of numbers."
        )
    return found[0]


def _explain_storage(status: int, retry_after: float | None) -> FetchError | None:
    """Return an error that is retried if the address has expired, because each attempt requests a new one."""
    if status in (400, 401, 403):
        return Interruption(f"Kaggle's storage refused the download (status {status}): try again later.", retry_after)
    return None


def _check_competition(competition: str) -> None:
    """Raise a ValueError unless a name, which becomes that of a folder, is valid in addresses."""
    if not isinstance(competition, str) or not competition.isascii() or not competition.replace("-", "").isalnum():
        raise ValueError(
            f"competition={competition!r} must be the name in the address of its page: letters, digits and hyphens, "
            f"such as {HOUSE_PRICES}."
        )
