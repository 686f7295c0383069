"""`fetch_movielens`: download a MovieLens release from GroupLens."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tabrec.datasets._data_folders import fetch_folder
from tabrec.datasets._download import Request, download, fetch_text
from tabrec.datasets._errors import writing_to
from tabrec.datasets._unpack import unpack
from tabrec.datasets.movielens import FILES, SIZES

SITE = "https://files.grouplens.org/datasets/movielens"


def fetch_movielens(size: str, data_dir: str | os.PathLike | None = None, *, verbose: bool = True) -> Path:
    """Download a MovieLens release from GroupLens, unless it exists already.

    Parameters
    ----------
    size : {"100k", "latest-small", "1m", "25m"}
        Release; the downloads have 5 MB, 1 MB, 6 MB and 250 MB.
    data_dir : str or path-like, default=None
        Folder for data sets; the release has a folder in it, named as by GroupLens (``ml-100k``). None uses the
        environment variable TABREC_DATA_DIR or, if that is not set, ``~/.cache/tabrec``.
    verbose : bool, default=True
        Whether to show progress on standard error, if that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder with the files.

    Raises
    ------
    ValueError
        If `size` is not a release.
    tabrec.datasets.FetchError
        If the release cannot be downloaded; the message says why and how to fix it.

    See Also
    --------
    load_movielens : Reads what this downloads.

    Notes
    -----
    An interrupted download is resumed by the next call. The MD5 is verified if GroupLens publishes one, which it does
    not for "latest-small". The licences do not permit redistribution.

    References
    ----------
    https://grouplens.org/datasets/movielens

    Examples
    --------
    An existing release is kept, without any request:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import fetch_movielens
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     release = Path(folder) / "ml-latest-small"
    ...     release.mkdir()
    ...     for name in ["ratings.csv", "movies.csv"]:
    ...         (release / name).touch()
    ...     fetch_movielens("latest-small", folder).name
    'ml-latest-small'
    """
    if size not in SIZES:
        raise ValueError(f"size={size!r} must be one of {', '.join(map(repr, SIZES))}.")
    name = f"ml-{size}"

    def fill(folder: Path, work: Path) -> None:
        archive = work / f"{name}.zip"
        address = f"{SITE}/{archive.name}"
        if not archive.exists():
            text = fetch_text(f"{address}.md5") or ""
            md5 = re.search(r"\b[0-9a-f]{32}\b", text.lower())
            download(lambda: Request(address), archive, verbose=verbose, md5=md5 and md5[0])
        unpack(archive, folder)
        _lift(folder)

    return fetch_folder(name, data_dir, FILES[size], fill)


def _lift(folder: Path) -> None:
    """Move the content of the only folder of a release one level up."""
    with writing_to(folder):
        tops = list(folder.iterdir())
        if len(tops) == 1 and tops[0].is_dir():
            for path in list(tops[0].iterdir()):
                os.rename(path, folder / path.name)
            tops[0].rmdir()
