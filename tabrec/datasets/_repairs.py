"""`repair`: rewrite text tables in which a program has quoted or escaped fields in an unusual way."""

from __future__ import annotations

import csv
import io
import re

from tabrec.datasets._sources import Source

_HEAD_BYTES = 1 << 16
_DELIMITERS = ",;\t|"
# A field such as ="0123", which Excel reads as text.
_FORMULA = re.compile(rb'((?:^|[,;\t|\n]))="([^"\r\n]*)"(?=[,;\t|\r\n]|$)')
# Quotes inside a field: escaped by a backslash, as MySQL and Spark write them, or doubled, as most programs do.
_ESCAPED = re.compile(rb'\\"(?![",;\t|\r\n])')
_DOUBLED = re.compile(rb'[^,;\t|\r\n\\]""[^,;\t|\r\n]')
_LEAST_LINES = 3


def repair(source: Source) -> tuple[Source, list[str]]:
    """Return the source, with its text rewritten if necessary, and the assumptions."""
    head = source.head(_HEAD_BYTES)
    if _ESCAPED.search(head) and not _DOUBLED.search(head):
        doubled = re.sub(rb'\\(["\\])', lambda found: b'""' if found[1] == b'"' else b"\\", source.head())
        return source.replaced(doubled), ["quotes after backslashes"]
    if _FORMULA.search(head):
        return source.replaced(_FORMULA.sub(rb'\1"\2"', source.head())), ['="…" read as text']
    if head.startswith((b'"', b'\xef\xbb\xbf"')) and _is_quoted_twice(head):
        return source.replaced(_without_quotes(source.head())), ["the quotes around whole lines ignored"]
    return source, []


def _is_quoted_twice(head: bytes) -> bool:
    """Return whether each line is one quoted field that contains a row, and all rows have as many fields."""
    lines = (head if len(head) < _HEAD_BYTES else head[: head.rfind(b"\n")]).decode("latin-1").splitlines()
    if len(lines) < _LEAST_LINES or any(_n_fields(lines, mark) != {1} for mark in _DELIMITERS):
        return False
    inner = [fields[0] for fields in csv.reader(lines)]
    return any(len(found) == 1 and found != {1} for found in (_n_fields(inner, mark) for mark in _DELIMITERS))


def _n_fields(lines: list[str], delimiter: str) -> set[int]:
    return {len(fields) for fields in csv.reader(lines, delimiter=delimiter) if fields}


def _without_quotes(text: bytes) -> bytes:
    """Return the first field of each line as a line; latin-1 keeps the bytes of every encoding."""
    lines = csv.reader(io.StringIO(text.decode("latin-1"), newline=""))
    return "\n".join(fields[0] for fields in lines if fields).encode("latin-1")
