"""Fit recommenders to ratings and interactions in files: ids become codes chunk by chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.ease import EASE
from tabrec.collab.fit_reader import fit_reader
from tabrec.collab.ids import check_ids
from tabrec.collab.implicit_als import ImplicitALS
from tabrec.collab.rating_columns import find_id_columns
from tabrec.collab.recommender import Recommender
from tabrec.scale.coded_interactions import CodedInteractions
from tabrec.scale.growing_codes import GrowingCodes
from tabrec.scale.target_column import TargetColumn
from tabrec.tables.columns import to_columns
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.memory import physical_memory
from tabrec.tables.progress import show_progress

# Peak bytes per interaction in fit, which holds the interactions as codes and sorts them.
_BYTES = 90


@restores_on_failure
def fit_recommender(recommender: Recommender, chunks: Any, y: Any) -> Any:
    """Fit a recommender to all rows of a table in chunks; it holds the interactions as codes, in memory or on disk."""
    target = None if y is None else TargetColumn.parse(y, list(chunks.schema))
    names = [name for name in chunks.schema if target is None or name != target.column]
    id_names = find_id_columns(
        chunks.head(1_000)[names], recommender.user, recommender.item, type(recommender).__name__
    )
    others = [getattr(recommender, "time", None), *(getattr(recommender, "context", None) or ())]
    others = [str(name) for name in dict.fromkeys(others) if name is not None and name not in id_names]
    read = [*id_names, *others]
    table = chunks.select([*read, *([] if target is None else [target.column])])
    if _fits_on_disk(recommender, others) and _needs_disk(chunks):
        _fit_on_disk(recommender, table, list(id_names), target, chunks.memory)
    else:
        recommender.fit(*_read_codes(table, read, target))
    recommender.n_features_in_, recommender.feature_names_in_ = len(names), np.asarray(names, dtype=object)
    return recommender


def _fits_on_disk(recommender: Recommender, others: list[str]) -> bool:
    """Return whether a recommender can learn from blocks; a callable `rating_weight` needs all at once."""
    return isinstance(recommender, (EASE, ImplicitALS)) and not others and not callable(recommender.rating_weight)


def _needs_disk(chunks: Any) -> bool:
    return chunks.n_rows is None or chunks.n_rows * _BYTES > chunks.memory


def _fit_on_disk(
    recommender: Recommender, chunks: Any, names: list[str], target: TargetColumn | None, memory: int
) -> None:
    """Fit to interactions in temporary files, which the fitted model continues to read."""
    coded = CodedInteractions(names, target is not None)
    coded.read(chunks, target)
    side_tables = recommender.user_features, recommender.item_features
    fit_reader(recommender, coded.make_reader(type(recommender).__name__, side_tables, memory))


def _read_codes(chunks: Any, names: list[str], target: TargetColumn | None) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Return the columns of a table, those of the ids as categories, and its target."""
    ids = {name: GrowingCodes(name) for name in names[:2]}
    codes: dict[str, list[np.ndarray]] = {name: [] for name in ids}
    others: dict[str, list] = {name: [] for name in names[2:]}
    values: list[np.ndarray] = []
    n_rows = 0
    with show_progress("Reading interactions", chunks.n_rows) as progress:
        for frame in chunks:
            _check_memory(chunks.n_rows or n_rows)
            for name, column in to_columns(frame[names]).items():
                if name in ids:
                    check_ids(column)
                    codes[name].append(ids[name].encode(column))
                else:
                    others[name].append(frame[name])
            if target is not None:
                values.append(target.read(frame, n_rows, numeric=True))
            n_rows += len(frame)
            progress.advance(len(frame))
    if not n_rows:
        raise ValueError("The table has no rows.")
    columns: dict[str, Any] = {
        name: pd.Categorical.from_codes(
            np.concatenate(codes.pop(name)), categories=of_name.categories(), validate=False
        )
        for name, of_name in ids.items()
    }
    columns |= {name: pd.concat(parts, ignore_index=True) for name, parts in others.items()}
    return pd.DataFrame(columns, copy=False), np.concatenate(values) if values else None


def _check_memory(n_rows: int) -> None:
    needed, available = n_rows * _BYTES, physical_memory()
    if available is not None and needed > available:
        raise MemoryError(
            f"A recommender of {n_rows:,} interactions needs about {needed / 2**30:.0f} GiB for their codes, and this "
            f"machine has {available / 2**30:.0f} GiB: leave out interactions, such as the oldest ones."
        )
