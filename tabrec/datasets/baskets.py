"""`read_baskets`: files with a basket of items in each line."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd

from tabrec.datasets._encodings import find_encoding

_HEAD = 2**16  # number of bytes from which the encoding is detected
_DELIMITERS = (",", ";", "\t", "|", " ")


def read_baskets(path: str | os.PathLike, *, delimiter: str | None = None, encoding: str | None = None) -> pd.DataFrame:
    """Read a file with a basket in each line, such as ``milk,bread,eggs``, as interactions.

    Parameters
    ----------
    path : str or path-like
        Text file without a header. Blank lines and blank fields are ignored, and an item that occurs twice in a line
        is in the basket once. An item in double quotation marks may hold the delimiter.
    delimiter : str, default=None
        The character between items. None takes the first of comma, semicolon, tab, pipe and space that is in the file.
    encoding : str, default=None
        Encoding of the text; None detects it.

    Returns
    -------
    pandas.DataFrame of shape (n_interactions, 2)
        ``user`` (int64), the number of the basket from 1, and ``item`` (text, exactly as written, without blanks
        around it).

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ValueError
        The file has no items.

    See Also
    --------
    read_table : Reads tables, such as one with a row for each item of a basket.
    tabrec.runs.read_interactions : Reads interactions in several layouts.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import read_baskets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "groceries.csv"
    ...     _ = file.write_text("whole milk,bread\\nbread\\n")
    ...     baskets = read_baskets(file)
    >>> baskets
       user        item
    0     1  whole milk
    1     1       bread
    2     2       bread
    """
    content = Path(path).read_bytes()
    head = content[:_HEAD]
    text = content.decode(encoding or find_encoding(head, is_complete=len(head) == len(content)))
    if delimiter is None:
        delimiter = next((mark for mark in _DELIMITERS if mark in text), _DELIMITERS[0])
    baskets = [[item.strip() for item in _split(line, delimiter)] for line in text.splitlines()]
    baskets = [list(dict.fromkeys(item for item in items if item)) for items in baskets]
    baskets = [items for items in baskets if items]
    if not baskets:
        raise ValueError(f"{path} has no items: each line should be a basket, such as milk,bread.")
    number = np.repeat(np.arange(1, len(baskets) + 1), [len(items) for items in baskets])
    return pd.DataFrame({"user": number, "item": [item for items in baskets for item in items]})


def _split(line: str, delimiter: str) -> list[str]:
    if line.count('"') % 2:  # an unclosed quote is part of the item
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
