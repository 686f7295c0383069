"""`settle_type`: the type of a column of text, once spaces and marks of missing values are removed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tabrec.tables.measures import read_measure
from tabrec.tables.missing_marks import is_known_mark, may_be_missing, quoted
from tabrec.tables.text_numbers import find_number_format, odd_among_numbers, units_of

# A delimiter that no label contains.
_NO_DELIMITER = "\x1f"
# Integers without a leading zero that fit in 64 bits.
_WHOLE_NUMBER = r"^(0|-?[1-9]\d{0,17})$"
# Number of labels sampled to find whether a column may hold numbers or dates; a third of them has to look like one.
_SAMPLE = 20
# Digits with signs; the only letters are those of an exponent, a time, a currency or a unit.
_LIKELY_VALUE = re.compile(
    r"([A-Z]{3}|US|R)?[\W\d_]*\d[\W\d_]*([eETZ][\W\d_]*){0,2}([A-Z]{3}|(?<=[\s\d°])[^\W\d_][\w°²³/.]{0,9})?"
)
_TWO_NUMBERS = re.compile(r"\d+ ?[/:x×] ?\d+")
_MOST_CHARACTERS = 60  # in a number or date
_MOST_MARKS = 5  # in a column that holds only marks
_FEWEST_NUMBERS = 10  # distinct numbers, from which on a column is likely meant as numbers
_FEW = 4  # most other labels or units in such a column; names of models, as 310G and 580 XL, have more


class Settled(NamedTuple):
    """A typed column, with the unit of numbers that were text (None for other columns) and its marks.

    `doubt` is the reason why a column with numbers stays text.
    """

    column: pa.ChunkedArray
    unit: str | None = None
    marks: tuple[str, ...] = ()
    doubt: str = ""


def settle_type(
    column: pa.ChunkedArray, marks: list[str], decimal: str | None, *, as_text: bool = False, as_number: bool = False
) -> Settled:
    """Strip the labels of a text column, set marks of missing values to null, and infer the type of the rest.

    A column of another type is returned unchanged. `decimal` is None if each column decides. `as_text` keeps labels
    that look like numbers; `as_number` accepts any share of marks.
    """
    if pa.types.is_time(column.type):
        column = column.cast(pa.string())
    is_encoded = pa.types.is_dictionary(column.type)
    if not is_encoded and not pa.types.is_string(column.type):
        return Settled(column)
    typed = None
    if is_encoded and all(_is_clean(chunk.dictionary, marks) for chunk in column.chunks):
        if as_text or not (column.num_chunks and _may_be_values(column.chunk(0).dictionary)):
            return Settled(column)
        labels = _combine(column.unify_dictionaries())
    else:
        stripped = pc.utf8_trim_whitespace(column.cast(pa.string()))
        is_mark = pc.is_in(stripped, value_set=pa.array(marks, pa.string()))
        labels = _combine(pc.if_else(is_mark, pa.scalar(None, pa.string()), stripped).dictionary_encode())
        typed = None if as_text else infer_type(labels.dictionary, decimal)
    if typed is not None:
        return Settled(_spread(typed, labels))
    if as_text or not _may_be_values(labels.dictionary):
        return Settled(pa.chunked_array([labels]))
    return _read_values(labels, decimal, as_number)


def settle_ids(column: pa.ChunkedArray, missing: Sequence[str], *, as_text: bool) -> Settled:
    """Convert ids to whole numbers if all are written as such and not `as_text`; otherwise keep the exact text."""
    marks = ["", *missing]
    if pa.types.is_dictionary(column.type) and all(_is_clean(chunk.dictionary, marks) for chunk in column.chunks):
        labels = _combine(column.unify_dictionaries())
    else:
        stripped = pc.utf8_trim_whitespace(column.cast(pa.string()))
        is_mark = pc.is_in(stripped, value_set=pa.array(marks, pa.string()))
        labels = _combine(pc.if_else(is_mark, pa.scalar(None, pa.string()), stripped).dictionary_encode())
    if as_text or not pc.all(pc.match_substring_regex(labels.dictionary, _WHOLE_NUMBER)).as_py():
        return Settled(pa.chunked_array([labels]))
    return Settled(_spread(labels.dictionary.cast(pa.int64()), labels))


def _combine(column: pa.ChunkedArray) -> pa.DictionaryArray:
    combined = column.combine_chunks()
    return combined.combine_chunks() if isinstance(combined, pa.ChunkedArray) else combined


def _spread(typed: pa.Array, labels: pa.DictionaryArray) -> pa.ChunkedArray:
    """Return the values of rows from those of their labels."""
    return pa.chunked_array([typed.take(labels.indices)])


def _is_clean(labels: pa.Array, marks: list[str]) -> bool:
    """Return whether labels have no spaces around them and are not marks of missing values."""
    is_mark = pc.is_in(labels, value_set=pa.array(marks, pa.string()))
    return not pc.any(is_mark).as_py() and pc.utf8_trim_whitespace(labels).equals(labels)


def _may_be_values(labels: pa.Array) -> bool:
    """Return whether a sample of labels may be numbers, dates or marks; otherwise the column is text."""
    sample = labels.take(np.arange(0, len(labels), len(labels) // _SAMPLE + 1))
    texts = sample.to_pylist()
    likely = sum(map(_is_likely_value, texts))
    if likely == 0 and len(texts) <= _MOST_MARKS:
        return all(map(is_known_mark, texts))
    return likely * 3 >= len(texts)


def _is_likely_value(text: str) -> bool:
    if len(text) > _MOST_CHARACTERS:
        return False
    return _LIKELY_VALUE.fullmatch(text) is not None or read_measure(text) is not None


def _read_values(labels: pa.DictionaryArray, decimal: str | None, as_number: bool) -> Settled:
    """Read labels as numbers, dates or booleans if all others are marks of missing values; else as text."""
    texts = labels.dictionary.to_pylist()
    counts = np.bincount(labels.indices.drop_null().to_numpy(), minlength=len(texts))
    is_mark = np.array([is_known_mark(text) for text in texts], dtype=bool)
    marks = {text: int(n) for text, n, marked in zip(texts, counts, is_mark, strict=True) if marked}
    if is_mark.all():
        return Settled(_spread(pa.nulls(len(texts), pa.float64()), labels), None, tuple(marks))
    rest = int((~is_mark).sum())
    if marks and (as_number or may_be_missing(marks, rest, int(counts[~is_mark].sum()))):
        typed = infer_type(labels.dictionary.filter(pa.array(~is_mark)), decimal)
        if typed is not None:
            positions = pa.array(np.cumsum(~is_mark) - 1, mask=is_mark)
            return Settled(_spread(typed.take(positions), labels), None, tuple(marks))
    found = find_number_format(texts, counts.tolist(), given=as_number, decimal=decimal)
    if found is None or (as_number and not all(map(is_known_mark, found.marks))):
        return Settled(pa.chunked_array([labels]), doubt=_why_text(texts))
    numbers = pa.array(found.read(texts), from_pandas=True)
    if numbers.null_count == 0 and pc.all(pc.equal(numbers, pc.round(numbers))).as_py():
        numbers = numbers.cast(pa.int64())
    simplified = found.simplified and f"{found.simplified} as {found.read([found.simplified])[0]:.12g}"
    return Settled(_spread(numbers, labels), found.unit or simplified or "", tuple(found.marks))


def _why_text(texts: list[str]) -> str:
    """Return why labels are not numbers although most of them are, "" if they are not."""
    texts = [text for text in texts if not is_known_mark(text)]
    if len(texts) < _FEWEST_NUMBERS:
        return ""
    if all(map(_TWO_NUMBERS.fullmatch, texts)):
        return f"two numbers, such as {texts[0]}"
    if odd := odd_among_numbers(texts):
        return f"{quoted(odd)} among numbers" if len(odd) <= _FEW else ""
    units = [unit for unit in units_of(texts) if not unit.startswith("/")]  # a ratio such as 120/80 has no unit
    return f"several units: {_listed([unit or 'none' for unit in units])}" if 1 < len(units) <= _FEW else ""


def infer_type(labels: pa.Array, decimal: str | None) -> pa.Array | None:
    """Convert distinct labels to the type that arrow infers, numbers, booleans or dates; None for text."""
    if len(labels) == 0:
        return pa.nulls(0)
    if pc.any(pc.match_substring_regex(labels, '["\r\n]')).as_py():
        return None
    lines = "\n".join(labels.to_pylist()).encode()
    table = pyarrow.csv.read_csv(
        io.BytesIO(lines),
        read_options=pyarrow.csv.ReadOptions(column_names=["labels"], block_size=len(lines) + 1),
        parse_options=pyarrow.csv.ParseOptions(delimiter=_NO_DELIMITER),
        convert_options=pyarrow.csv.ConvertOptions(null_values=[], decimal_point=decimal or "."),
    )
    typed = table.column(0).combine_chunks()
    return None if pa.types.is_string(typed.type) or pa.types.is_time(typed.type) else typed


def describe(names: Iterable[str], columns: Iterable[Settled]) -> list[str]:
    """Return the assumptions about the values of columns."""
    numbers, missing, doubts = [], [], []
    for name, settled in zip(names, columns, strict=False):
        if settled.unit is not None:
            numbers.append(f"{name} ({settled.unit})" if settled.unit else name)
        if settled.marks:
            missing.append(f"{quoted(settled.marks)} in {name}")
        if settled.doubt:
            doubts.append(f"{name} ({settled.doubt})")
    return [
        *([f"{_listed(numbers)} read as numbers"] if numbers else []),
        *([f"{_listed(missing)} taken as missing"] if missing else []),
        *([f"{_listed(doubts)} kept as text"] if doubts else []),
    ]


def _listed(items: list[str], most: int = 6) -> str:
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
