"""`settle_type`: the type of a column of text, once spaces and marks of missing values are removed."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

# A delimiter that no label contains.
_NO_DELIMITER = "\x1f"


def settle_type(column: pa.ChunkedArray, marks: list[str], decimal: str, *, as_text: bool) -> pa.ChunkedArray:
    """Strip the labels of a text column, set marks of missing values to null, and infer the type of the rest.

    A column of another type is returned unchanged, and so is a text column without spaces around its labels.
    """
    if pa.types.is_time(column.type):
        return column.cast(pa.string()).dictionary_encode()
    is_encoded = pa.types.is_dictionary(column.type)
    if is_encoded:
        if all(_is_stripped(chunk.dictionary) for chunk in column.chunks):
            return column
        column = column.cast(pa.string())
    elif not pa.types.is_string(column.type):
        return column
    stripped = pc.utf8_trim_whitespace(column)
    is_mark = pc.is_in(stripped, value_set=pa.array(marks, pa.string()))
    labels = pc.if_else(is_mark, pa.scalar(None, pa.string()), stripped).combine_chunks().dictionary_encode()
    labels = labels.combine_chunks() if isinstance(labels, pa.ChunkedArray) else labels
    typed = None if as_text else infer_type(labels.dictionary, decimal)
    return pa.chunked_array([labels if typed is None else typed.take(labels.indices)])


def _is_stripped(labels: pa.Array) -> bool:
    return pc.utf8_trim_whitespace(labels).equals(labels)


def infer_type(labels: pa.Array, decimal: str) -> pa.Array | None:
    """Convert distinct labels to the numbers, booleans or dates that arrow reads in a file; None if they are text."""
    if len(labels) == 0:
        return pa.nulls(0)
    if pc.any(pc.match_substring_regex(labels, '["\r\n]')).as_py():
        return None
    lines = "\n".join(labels.to_pylist()).encode()
    table = pyarrow.csv.read_csv(
        io.BytesIO(lines),
        read_options=pyarrow.csv.ReadOptions(column_names=["labels"], block_size=len(lines) + 1),
        parse_options=pyarrow.csv.ParseOptions(delimiter=_NO_DELIMITER),
        convert_options=pyarrow.csv.ConvertOptions(null_values=[], decimal_point=decimal),
    )
    typed = table.column(0).combine_chunks()
    return None if pa.types.is_string(typed.type) or pa.types.is_time(typed.type) else typed
