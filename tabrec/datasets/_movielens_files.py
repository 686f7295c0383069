"""Readers of the files of MovieLens releases, with errors that name malformed lines."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

Folder = Path | zipfile.Path

_RATING_TYPES = {"user": pa.int64(), "item": pa.int64(), "rating": pa.float64(), "timestamp": pa.int64()}
_CSV_HEADER = ["userId", "movieId", "rating", "timestamp"]
_NO_GENRES = "(no genres listed)"
# "(1995)" at the end of a title, or "(2006–2007)" and "(2006–)" of a series
_YEAR_IN_TITLE = r"\((\d{4})(?:[-–]\d{0,4})?\)\s*$"
# The codes of users.dat, as named in the README of the release.
_OCCUPATIONS = [
    "other or not specified",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
]


# Ratings are read by arrow, because a file has up to 25 million lines.


def read_ratings(file: Folder, separator: str) -> pd.DataFrame:
    """Read the columns of `_RATING_TYPES`. The separator "::" is read as ":" with empty columns in between."""
    has_header = separator == ","
    if has_header:
        _check_header(file)
    names = list(_RATING_TYPES)
    if separator == "::":
        names = ["user", "gap1", "item", "gap2", "rating", "gap3", "timestamp"]
    types = {name: _RATING_TYPES.get(name, pa.null()) for name in names}
    try:
        with file.open("rb") as source:
            table = pyarrow.csv.read_csv(
                source,
                read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=int(has_header), block_size=1 << 24),
                parse_options=pyarrow.csv.ParseOptions(delimiter=separator[0], quote_char=False),
                convert_options=pyarrow.csv.ConvertOptions(column_types=types, null_values=[""]),
            )
    except pa.ArrowInvalid as error:
        _refuse_ratings(file, separator, has_header, str(error))
    columns = {name: table.column(name) for name in _RATING_TYPES}
    if any(column.null_count for column in columns.values()):
        _refuse_ratings(file, separator, has_header, "empty fields")
    # Memory of arrow is read-only, but a frame must be writable.
    arrays = {name: np.require(column.to_numpy(), requirements="W") for name, column in columns.items()}
    if not len(arrays["rating"]) or not np.isfinite(arrays["rating"]).all():
        _refuse_ratings(file, separator, has_header, "no ratings")
    return pd.DataFrame(arrays, copy=False)


def _check_header(file: Folder) -> None:
    with file.open("rb") as source:
        header = source.readline().decode("utf-8-sig", errors="replace").strip().split(",")
    if header != _CSV_HEADER:
        raise ValueError(f"{file}, line 1: the header must be {','.join(_CSV_HEADER)!r}, not {','.join(header)!r}.")


def _refuse_ratings(file: Folder, separator: str, has_header: bool, problem: str) -> NoReturn:
    """Raise an error that names the malformed line, which arrow does not report because it reads blocks."""
    number, mark = rb"-?\d+", re.escape(separator.encode())
    fields = [number, number, rb"-?\d+\.?\d*(?:e-?\d+)?", number]
    rating = re.compile(mark.join(fields) + rb"\r?\n?$")
    wanted = separator.join(["user", "item", "rating", "timestamp"])
    is_empty = True
    with file.open("rb") as source:
        for line_number, line in enumerate(source, start=1):
            if not line.strip() or (has_header and line_number == 1):
                continue
            is_empty = False
            if not rating.match(line):
                text = line.decode("latin-1").rstrip("\r\n")[:200]
                raise ValueError(f"{file}, line {line_number}: {text!r} does not have the form {wanted!r} in numbers.")
    raise ValueError(f"{file} has no ratings." if is_empty else f"{file} cannot be read as {wanted!r}: {problem}")


# Users and items have a few thousand lines, which are checked one by one.


def _read_text(file: Folder, encoding: str) -> str:
    with file.open("rb") as source:
        content = source.read()
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line_number = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{file}, line {line_number}: not text in UTF-8 ({error.reason}).") from error


def _fields(file: Folder, separator: str, names: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and fields of each line of a latin-1 file."""
    for line_number, line in enumerate(_read_text(file, "latin-1").split("\n"), start=1):
        line = line.rstrip("\r")
        if not line:
            continue
        fields = line.split(separator)
        if len(fields) > len(names) and names[1] == "title":
            # The title is the only free text, so additional separators belong to it.
            surplus = len(fields) - len(names)
            fields[1 : 2 + surplus] = [separator.join(fields[1 : 2 + surplus])]
        if len(fields) != len(names):
            problem = f"has {len(fields)} fields, not {len(names)}: {separator.join(names)}"
            _refuse_line(file, line_number, line, problem)
        yield line_number, fields


def _refuse_line(file: Folder, line_number: int, line: str, problem: str) -> NoReturn:
    raise ValueError(f"{file}, line {line_number}: {line[:200]!r} {problem}.")


def _to_int(file: Folder, line_number: int, name: str, text: str) -> int:
    if not re.fullmatch(r"\d+", text.strip(), flags=re.ASCII):
        _refuse_line(file, line_number, text, f"cannot be the {name}, which is a whole number")
    return int(text)


def read_u_user(folder: Folder) -> pd.DataFrame:
    file = folder / "u.user"
    rows = []
    for line, (user, age, gender, occupation, zip_code) in _fields(
        file, "|", ["user", "age", "gender", "occupation", "zip_code"]
    ):
        rows.append((_to_int(file, line, "user", user), _to_int(file, line, "age", age), gender, occupation, zip_code))
    return _users_frame(file, rows)


def read_users_dat(folder: Folder) -> pd.DataFrame:
    file = folder / "users.dat"
    rows = []
    for line, (user, gender, age, occupation, zip_code) in _fields(
        file, "::", ["user", "gender", "age", "occupation", "zip_code"]
    ):
        code = _to_int(file, line, "occupation", occupation)
        if code >= len(_OCCUPATIONS):
            _refuse_line(file, line, occupation, f"is not an occupation, which is 0 to {len(_OCCUPATIONS) - 1}")
        ids = _to_int(file, line, "user", user), _to_int(file, line, "age", age)
        rows.append((*ids, gender, _OCCUPATIONS[code], zip_code))
    return _users_frame(file, rows)


def _users_frame(file: Folder, rows: list[tuple[int, int, str, str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["user", "age", "gender", "occupation", "zip_code"])
    return _by_id(file, frame.astype({"user": np.int64, "age": np.int64}), "user")


def read_u_item(folder: Folder) -> pd.DataFrame:
    genres = [name for _, (name, _) in _fields(folder / "u.genre", "|", ["genre", "number"])]
    file = folder / "u.item"
    names = ["item", "title", "release_date", "video_release_date", "address", *genres]
    ids, titles, years, flags = [], [], [], []
    for line, (item, title, released, _, _, *in_genre) in _fields(file, "|", names):
        year = re.search(r"\d{4}$", released.strip())
        if (released.strip() and not year) or not set(in_genre) <= {"0", "1"}:
            problem = "must have a date such as 01-Jan-1995 or an empty third field, and 0 or 1 for each genre"
            _refuse_line(file, line, "|".join([item, title, released, "…", *in_genre]), problem)
        ids.append(_to_int(file, line, "item", item))
        titles.append(title.strip())
        years.append(float(year[0]) if year else np.nan)
        flags.append([flag == "1" for flag in in_genre])
    items = pd.DataFrame({"item": ids, "title": titles, "year": np.array(years, np.float64)})
    by_genre = np.array(flags, dtype=bool).reshape(len(ids), len(genres))
    return _by_id(file, items.join(pd.DataFrame(by_genre, columns=genres)), "item")


def read_movies_dat(folder: Folder) -> pd.DataFrame:
    file = folder / "movies.dat"
    lines = _fields(file, "::", ["item", "title", "genres"])
    rows = [(_to_int(file, line, "item", item), title, genres) for line, (item, title, genres) in lines]
    return _items_frame(file, rows)


def read_movies_csv(folder: Folder) -> pd.DataFrame:
    file = folder / "movies.csv"
    names = ["movieId", "title", "genres"]
    reader = csv.reader(io.StringIO(_read_text(file, "utf-8-sig"), newline=""), strict=True)
    rows = []
    try:
        if next(reader, None) != names:
            raise ValueError(f"{file}, line 1: the header must be {','.join(names)!r}.")
        for fields in reader:
            line = reader.line_num
            if fields and (len(fields) != len(names) or "\n" in fields[1]):
                _refuse_line(file, line, ",".join(fields), f"is not {','.join(names)!r}, one film a line")
            if fields:
                rows.append((_to_int(file, line, "movieId", fields[0]), fields[1], fields[2]))
    except csv.Error as error:
        raise ValueError(f"{file}, line {reader.line_num}: the quotes do not match ({error}).") from error
    return _items_frame(file, rows)


def _items_frame(file: Folder, rows: list[tuple[int, str, str]]) -> pd.DataFrame:
    """Return items by id, with the year from the title and a column for each genre of the text "genre|genre"."""
    frame = pd.DataFrame(rows, columns=["item", "title", "genres"])
    frame["title"] = frame["title"].str.strip()
    frame["year"] = frame["title"].str.extract(_YEAR_IN_TITLE, expand=False).astype(np.float64)
    in_genre = frame.pop("genres").str.get_dummies("|").astype(bool)
    return _by_id(file, frame.join(in_genre.drop(columns=_NO_GENRES, errors="ignore")), "item")


def _by_id(file: Folder, frame: pd.DataFrame, name: str) -> pd.DataFrame:
    if frame.empty:
        raise ValueError(f"{file} has no {name}s.")
    twice = frame[name][frame[name].duplicated()]
    if len(twice):
        raise ValueError(f"{file} has the {name} {twice.iloc[0]} more than once.")
    return frame.set_index(name)
