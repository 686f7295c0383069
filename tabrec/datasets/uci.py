"""`fetch_adult`: download the Adult data set from the UCI Machine Learning Repository."""

from __future__ import annotations

import os
from pathlib import Path

from tabrec.datasets._data_folders import fetch_folder
from tabrec.datasets._download import Request, download
from tabrec.datasets._unpack import unpack

SITE = "https://archive.ics.uci.edu/static/public"


def fetch_adult(data_dir: str | os.PathLike | None = None, *, verbose: bool = True) -> Path:
    """Download Adult (census income) from the UCI Machine Learning Repository, unless it exists already.

    Parameters
    ----------
    data_dir : str or path-like, default=None
        Folder for data sets; the table has the folder ``adult`` in it. None uses the environment variable
        TABREC_DATA_DIR or, if that is not set, ``~/.cache/tabrec``.
    verbose : bool, default=True
        Whether to show progress on standard error, if that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder with the files.

    Raises
    ------
    tabrec.datasets.FetchError
        If the files cannot be downloaded; the message says why and how to fix it.

    See Also
    --------
    load_adult : Reads what this downloads.

    References
    ----------
    B. Becker, R. Kohavi, Adult, UCI Machine Learning Repository, 1996, https://doi.org/10.24432/C5XW20.

    Examples
    --------
    Existing files are kept, without any request:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import fetch_adult
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "adult").mkdir()
    ...     for name in ["adult.data", "adult.test"]:
    ...         (Path(folder) / "adult" / name).touch()
    ...     fetch_adult(folder).name
    'adult'
    """

    def fill(folder: Path, work: Path) -> None:
        archive = work / "adult.zip"
        if not archive.exists():
            download(lambda: Request(f"{SITE}/2/adult.zip"), archive, verbose=verbose)
        unpack(archive, folder)

    return fetch_folder("adult", data_dir, ("adult.data", "adult.test"), fill)
