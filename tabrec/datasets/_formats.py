"""Read formats that specify the types of columns: parquet, feather and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
from pandas.api import types

from tabrec.datasets._sources import Source

_JSON_LINES = (".jsonl", ".ndjson")
_LARGEST_EXACT = 2**53  # float64 does not represent all whole numbers beyond.


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a parquet file, or a folder of them, whose folders may be named as in ``state=Ohio``."""
    try:
        table = pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as parquet: the file is damaged or in another format ({error})."
        ) from error
    return to_frame(table)


def read_feather(path: Path) -> pd.DataFrame:
    try:
        return to_frame(pyarrow.feather.read_table(path))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as feather: the file is damaged or in another format ({error})."
        ) from error


def read_json(source: Source, suffix: str) -> pd.DataFrame:
    """Read a list of records, an object that maps column names to values, or one record per line."""
    try:
        text = source.head().decode("utf-8-sig")
        records, assumed = _find_records(_parse_json(text, is_lines=suffix in _JSON_LINES))
        raw = pd.DataFrame(records, dtype=object)
        frame = pd.DataFrame({name: _convert(values) for name, values in raw.items()}, index=raw.index)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{source.name} cannot be read as JSON: {error}. It should hold one record per line, a list of "
            "records, or an object that maps column names to values."
        ) from error
    for name in frame:
        nested = frame[name].map(lambda value: isinstance(value, (list, dict)))
        if nested.any():
            value = frame[name][nested].iloc[0]
            raise ValueError(f"{source.name} has nested values, such as {str(value)[:60]} in {name!r}: flatten them.")
    frame = text_as_categories(frame.reset_index(drop=True))
    frame.attrs["assumed"] = assumed
    return frame


def _find_records(parsed: Any) -> tuple[Any, list[str]]:
    """Find the records or columns in parsed JSON, within an object or nested; also returns the assumptions."""
    assumed = []
    if isinstance(parsed, dict):
        lists = [name for name, value in parsed.items() if isinstance(value, list)]
        if {"columns", "data"} <= set(lists):
            return [dict(zip(parsed["columns"], row, strict=True)) for row in parsed["data"]], []
        if len(lists) == 1 and parsed[lists[0]] and all(isinstance(record, dict) for record in parsed[lists[0]]):
            assumed = [f"the records in {lists[0]!r}"]
            parsed = parsed[lists[0]]
    if isinstance(parsed, list) and all(isinstance(record, dict) for record in parsed):
        flat = [_flatten(record) for record in parsed]
        new = next(
            (name for record, given in zip(flat, parsed, strict=True) for name in record if name not in given), None
        )
        return flat, assumed + ([] if new is None else [f"fields of objects as columns, such as {new}"])
    return parsed, assumed


def _flatten(record: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        inner = _flatten(value) if isinstance(value, dict) and value else {}
        flat |= {f"{name}.{key}": held for key, held in inner.items()} if inner else {name: value}
    return flat


def _parse_json(text: str, *, is_lines: bool) -> Any:
    if not is_lines:
        try:
            parsed = json.loads(text)
        except ValueError:
            is_lines = text.lstrip().startswith("{")  # One record per line, whatever the file name.
            if not is_lines:
                raise
    if is_lines:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    is_record = isinstance(parsed, dict) and not any(isinstance(value, (dict, list)) for value in parsed.values())
    return [parsed] if is_record else parsed


def _convert(values: pd.Series) -> pd.Series:
    """Convert values of JSON to their common type; whole numbers stay exact if some are missing."""
    converted = pd.Series(values.tolist(), index=values.index)
    if converted.dtype.kind != "f" or types.infer_dtype(values, skipna=True) != "integer":
        return converted
    return values.astype("Int64") if converted.abs().max() >= _LARGEST_EXACT else converted


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Convert an arrow table to a frame; text becomes categories, and integers with missing values stay exact."""
    frame = table.to_pandas(strings_to_categorical=True, date_as_object=False, ignore_metadata=True)
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_integer(column.type) and column.null_count and _is_large(column):
            frame[name] = column.to_pandas(types_mapper={column.type: pd.Int64Dtype()}.get)
    return frame


def text_as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert the columns of text to categories, as `read_table` returns them."""
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    text = [name for name in frame if types.infer_dtype(frame[name], skipna=True) == "string"]
    return frame.astype(dict.fromkeys(text, "category"))


def _is_large(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds integers that float64, the type of columns with missing values, may merge."""
    bounds = pa.compute.min_max(column).as_py()
    return any(bound is not None and abs(bound) >= _LARGEST_EXACT for bound in bounds.values())
