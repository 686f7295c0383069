"""`find_dialect`: detect encoding, delimiter, quotes, header and decimal mark of a text table."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

import pandas as pd

from tabrec.datasets._encodings import find_encoding
from tabrec.datasets._layout import find_layout, fits_shorter_header
from tabrec.datasets._sources import Source

# By priority if several divide every line alike; commas come last, because they also occur in numbers and text.
_DELIMITERS = ("\t", "|", ";", ",")
_RARE_DELIMITERS = ("\x01", "~", "^")  # tried if no other divides the lines
_DELIMITER_NAMES = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "\\t": "\t"}
_ENCODING_NAMES = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32"}
_HEAD_BYTES, _MOST_HEAD_BYTES = 1 << 16, 1 << 24
_LEAST_LINES = 20
_MOST_RECORDS = 100
_MOST_FIELDS = 20_000  # fewer rows suffice for a table with thousands of columns
# Share of lines with the same number of fields; _LIKELY suffices if the next delimiter is worse by _CLEARLY_AHEAD.
_SURE, _LIKELY, _UNLIKELY = 0.8, 0.5, 0.2
_CLEARLY_AHEAD = 0.3

_MARKUP = re.compile(r"\s*<(!doctype|html|head|body|table|div|\?xml)\b", re.IGNORECASE)
_RULE = re.compile(r"[-+:=\s]*-{3,}[-+:=\s]*")
# A field in single quotes, between usual delimiters.
_SINGLE_QUOTED = re.compile(r"(?:^|(?<=[,;\t|]))[ ]*'(?:[^'\n]|'')*'[ ]*(?=[,;\t|\r\n]|$)", re.MULTILINE)

_DECIMAL_COMMA = re.compile(r"\D?[-+]?(\d{1,3}([. '\u00a0\u202f]\d{3})+,\d+|0?,\d+|\d+,(\d{1,2}|\d{4,}))\s?\D?")
_DECIMAL_POINT = re.compile(r"\D?[-+]?(\d{1,3}([, '\u00a0\u202f]\d{3})+\.\d+|0?\.\d+|\d+\.(\d{1,2}|\d{4,}))\s?\D?")


@dataclass
class Dialect:
    """The format of a text table.

    `decimal` is None if no number has a decimal mark; `given_decimal` is the option of the caller or None. `names` are
    unique, `codes` are the names of columns of digits that are labels, `width` is the number of fields in a row, and
    `body` holds the first rows.
    """

    encoding: str
    delimiter: str
    decimal: str | None
    given_decimal: str | None
    names: list[str]
    codes: list[str]
    width: int
    skipped_lines: int
    has_line_breaks: bool
    skips_spaces: bool
    quote: str
    body: list[list[str]]
    assumed: list[str] = field(default_factory=list)

    def head(self) -> pd.DataFrame:
        """Return the first rows as text."""
        rows = [dict(zip(self.names, map(str.strip, row), strict=False)) for row in self.body]
        return pd.DataFrame(rows, columns=self.names, dtype=object).fillna("")


class Record(NamedTuple):
    """The fields of a row, with the lines before it and the number of its last line."""

    fields: list[str]
    above: int
    line: int

    @property
    def is_blank(self) -> bool:
        return not any(map(str.strip, self.fields))

    @property
    def is_rule(self) -> bool:
        """Whether it is a line such as ``|---|:--:|``, which Markdown and databases draw below a header."""
        return _RULE.fullmatch("".join(self.fields).strip()) is not None


def find_dialect(
    source: Source,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    names: Sequence[str] | None = None,
    header: bool | None = None,
) -> Dialect:
    """Find the dialect of a text table; given options are not detected."""
    head, is_complete = _read_head(source)
    try:
        encoding = encoding or find_encoding(head, is_complete=is_complete)
    except ValueError as error:
        raise ValueError(f"{source.name} is not text: {error}") from error
    text = _decode(source.name, head, encoding, is_complete=is_complete)
    if _MARKUP.match(text):
        raise ValueError(f"{source.name} is a web page or XML, not a table: save the table in it as CSV or .xlsx.")
    skipped, stated = _stated_delimiter(text)
    quote = _find_quote(text)
    delimiter = read_delimiter(delimiter) or stated or _find_delimiter(source.name, text, quote, is_complete)
    records = read_records(text, delimiter, quote, is_complete=is_complete, skipped=skipped)
    if not records:
        raise ValueError(f"{source.name} is empty.")
    layout = find_layout(source.name, [record.fields for record in records], names=names, header=header)
    if layout.width == 1:
        _check_single(source.name, records[layout.start].fields[0], delimiter)
    n_above = layout.n_above
    n_skipped = records[n_above].above if n_above < len(records) else records[-1].line
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal={decimal!r} must be '.' or ','.")
    given_decimal, decimal = decimal, decimal or _find_decimal(layout.body)
    codes = _find_codes(layout.names, layout.body)
    quotes = ["single quotes"] if quote == "'" else []
    notes = [f"digits of {', '.join(codes[:4])}{', …' * (len(codes) > 4)} kept as text"] if codes else []
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        decimal=decimal,
        given_decimal=given_decimal,
        names=layout.names,
        codes=codes,
        width=layout.width,
        skipped_lines=n_skipped if n_above else skipped,
        has_line_breaks=any("\n" in cell or "\r" in cell for row in layout.body for cell in row),
        skips_spaces=_skips_spaces(text, delimiter, quote),
        quote=quote,
        body=layout.body,
        assumed=[
            *_describe(encoding, delimiter, decimal),
            *quotes,
            *layout.assumed,
            *notes,
        ],
    )


def find_names(source: Source) -> list[str]:
    """Return the names in a file that holds the header of a table, or one name per line."""
    head, is_complete = _read_head(source)
    text = _decode(source.name, head, find_encoding(head, is_complete=is_complete), is_complete=is_complete)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    delimiter = next((candidate for candidate in _DELIMITERS if candidate in lines[0]), None) if lines else None
    names = lines if delimiter is None else read_records(text, delimiter, '"', is_complete=True)[0].fields
    return [name.strip() for name in names]


def read_delimiter(delimiter: str | None) -> str | None:
    r"""Convert a delimiter given as a word, such as "tab", or as "\\t" to a character."""
    if delimiter is None:
        return None
    found = _DELIMITER_NAMES.get(delimiter.lower(), delimiter)
    if len(found) != 1 or found in '"\r\n':
        raise ValueError(f"delimiter={delimiter!r} must be one character, or one of {', '.join(_DELIMITER_NAMES)}.")
    return found


def read_records(text: str, delimiter: str, quote: str, *, is_complete: bool, skipped: int = 0) -> list[Record]:
    """Return the first rows of a text, without blank lines and rules; quoted fields may contain line breaks."""
    lines = io.StringIO(text, newline="")
    for _ in range(skipped):
        lines.readline()
    skips_spaces = _skips_spaces(text, delimiter, quote)
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=skips_spaces)
    records: list[Record] = []
    n_fields = 0
    try:
        for fields in reader:
            records.append(Record(fields, records[-1].line if records else skipped, reader.line_num + skipped))
            n_fields += len(fields)
            if len(records) > _MOST_RECORDS or (len(records) > _LEAST_LINES and n_fields > _MOST_FIELDS):
                break
        else:
            if not is_complete and len(records) > 1:
                records.pop()  # The last row may be incomplete.
    except csv.Error:  # An unclosed quote makes one field of the rest.
        pass
    return [record for record in records if not record.is_rule and (not record.is_blank or len(record.fields) > 1)]


def _find_quote(text: str) -> str:
    """Return the quote character: a single quote if there are only fields in single quotes and no double quotes."""
    if '"' in text or "'" not in text or "'" in _SINGLE_QUOTED.sub("", text):
        return '"'
    return "'"


def _skips_spaces(text: str, delimiter: str, quote: str) -> bool:
    """Return whether spaces after a delimiter must be skipped to recognise the quotes that follow them."""
    if delimiter == " ":
        return True
    return f" {quote}" in text and re.search(rf"(^|{re.escape(delimiter)}) +{quote}", text, re.MULTILINE) is not None


def show_lines(text: str, n: int = 3) -> str:
    """Return the first lines of a text, for a message."""
    lines = [line[:60] + "…" * (len(line) > 60) for line in text.splitlines()[:n]]
    return " / ".join(map(repr, lines))


def _read_head(source: Source) -> tuple[bytes, bool]:
    """Read complete lines from the start of a text; also returns whether they are the whole text."""
    size = _HEAD_BYTES
    while True:
        head = source.head(size)
        if len(head) < size:
            return head, True
        if head.count(b"\n") + head.count(b"\r") >= _LEAST_LINES or size >= _MOST_HEAD_BYTES:
            return head, False
        size *= 4


def _decode(name: str, head: bytes, encoding: str, *, is_complete: bool) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head, final=is_complete)
    except LookupError as error:
        raise ValueError(f"Unknown encoding={encoding!r}; pass for example 'latin-1'.") from error
    except UnicodeError as error:
        raise ValueError(f"{name} is not text in {encoding}; pass its encoding, such as --encoding latin-1.") from error


def _stated_delimiter(text: str) -> tuple[int, str | None]:
    """Return the number of lines and the delimiter of a declaration such as ``sep=;``, which Excel writes."""
    match = re.match(r"sep=(.)\r?\n", text)
    return (1, match.group(1)) if match else (0, None)


def _find_delimiter(name: str, text: str, quote: str, is_complete: bool) -> str:
    """Return the delimiter that divides the most lines into the same number of fields, at least two."""
    scores = {}
    for candidate in _DELIMITERS:
        if candidate in text:
            scores[candidate] = _agreement(read_records(text, candidate, quote, is_complete=is_complete))
    best = max(scores, key=scores.__getitem__, default=",")
    ahead = scores.get(best, 0) - max((scores[other] for other in scores if other != best), default=0)
    if scores.get(best, 0) >= (_SURE if ahead < _CLEARLY_AHEAD else _LIKELY):
        return best
    for rare in (" ", *_RARE_DELIMITERS):
        if _agreement(read_records(text, rare, quote, is_complete=is_complete)) == 1:
            return rare
    if scores.get(best, 0) > _UNLIKELY:
        raise ValueError(
            f"The delimiter of {name} is unclear; it begins {show_lines(text)}. Name it: --delimiter ';' "
            "(delimiter=';' in Python)."
        )
    return ","


def _check_single(name: str, first: str, delimiter: str) -> None:
    """Refuse a single column whose first field contains another delimiter, or runs of spaces that may be one."""
    if len(re.findall(r"\S {2,}(?=\S)", first)) > 1:
        raise ValueError(
            f"{name} appears to have columns of fixed widths, which are not read; it begins {first[:80]!r}. Save it as "
            "CSV (in Python, pandas.read_fwf reads it)."
        )
    for other in _DELIMITERS:
        if other != delimiter and other in first:
            raise ValueError(
                f"{name} has a single column with the delimiter {delimiter!r}; it begins {first[:80]!r}. The delimiter "
                f"appears to be {other!r}: pass --delimiter {other!r} (delimiter={other!r} in Python)."
            )


def _agreement(records: list[Record]) -> float:
    """Return the share of the lines with the most frequent number of fields, 0 if that is one field."""
    if not records:
        return 0
    rows = [record.fields for record in records]
    counts = [len(row) for row in rows]
    width, times = Counter(counts[1:] or counts).most_common(1)[0]
    is_header = counts[0] == width or (counts[0] == width - 1 and fits_shorter_header(rows[1:], width))
    return (times + (is_header and len(counts) > 1)) / len(counts) if width > 1 else 0


def _find_decimal(rows: list[list[str]]) -> str | None:
    """Return the decimal mark: a comma if numbers have only decimal commas; None if none has a decimal mark."""
    cells = [cell.strip() for row in rows for cell in row if "," in cell or "." in cell]
    if any(map(_DECIMAL_POINT.fullmatch, cells)):
        return "."
    return "," if any(map(_DECIMAL_COMMA.fullmatch, cells)) else None


def _find_codes(names: list[str], rows: list[list[str]]) -> list[str]:
    """Return the columns of digits that numbers cannot represent: leading zeros, as in 007, or more than 64 bits."""
    codes = []
    for name, column in zip(names, zip_longest(*rows, fillvalue=""), strict=False):
        cells = [cell for cell in map(str.strip, column) if cell]
        if not cells or not cells[0].isdecimal() or not all(map(str.isdecimal, cells)):
            continue
        if any((cell[0] == "0" and len(cell) > 2) or (len(cell) > 18 and int(cell[:20]) >= 2**63) for cell in cells):
            codes.append(name)
    return codes


def _describe(encoding: str, delimiter: str, decimal: str | None) -> list[str]:
    word = {"\t": "tab", " ": "spaces"}.get(delimiter, repr(delimiter))
    parts = [f"delimiter {word}", _ENCODING_NAMES.get(encoding, encoding)]
    return [*parts, "decimal comma"] if decimal == "," else parts
