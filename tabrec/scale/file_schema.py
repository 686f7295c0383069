"""One schema for the files of a table; files that are not one table are refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tabrec.scale.file_parts import FilePart, is_text
from tabrec.tables.names import check_named

_TEXT = pa.dictionary(pa.int32(), pa.string())


def unite_schemas(parts: list[FilePart], text_columns: Sequence[str]) -> pa.Schema:
    """Return one schema for all files: each column has a type that holds its values; text is a dictionary."""
    first = parts[0]
    repeated = sorted({name for name in first.schema.names if first.schema.names.count(name) > 1})
    if repeated:
        raise ValueError(f"{first.path} has several columns named {repeated[0]!r}: rename them.")
    for part in parts[1:]:
        differing = sorted(set(part.schema.names) ^ set(first.schema.names))
        if differing:
            has, lacks = (part, first) if differing[0] in part.schema.names else (first, part)
            raise ValueError(
                f"{lacks.path} lacks the column {differing[0]!r} that {has.path} has: they are not one table"
                f"{f', and differ in {len(differing)} columns' if len(differing) > 1 else ''}."
            )
    forced = check_named("text_columns", text_columns, first.schema.names)
    return pa.schema(
        [pa.field(name, _TEXT if name in forced else _unite_types(name, parts)) for name in first.schema.names]
    )


def _unite_types(name: str, parts: list[FilePart]) -> pa.DataType:
    united, origin = pa.null(), parts[0]
    for part in parts:
        found = part.schema.field(name).type
        if is_text(found):
            found = _TEXT
        if pa.types.is_null(found) or found == united:
            continue
        if pa.types.is_null(united):
            united, origin = found, part
            continue
        if _TEXT in (found, united) and not part.is_parquet:
            united = _TEXT
            continue
        united = _promote(name, united, origin, found, part)
    return pa.float64() if pa.types.is_null(united) else united


def _promote(name: str, united: pa.DataType, origin: FilePart, found: pa.DataType, part: FilePart) -> pa.DataType:
    try:
        fields = [pa.schema([pa.field(name, kind)]) for kind in (united, found)]
        return pa.unify_schemas(fields, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        raise ValueError(
            f"Column {name!r} holds {_describe(united)} in {origin.path} and {_describe(found)} in {part.path}: write "
            "it with one type."
        ) from None


def _describe(kind: pa.DataType) -> str:
    if is_text(kind):
        return "text"
    return f"numbers ({kind})" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else str(kind)
