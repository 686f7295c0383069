"""Groups of columns that are permuted or dropped together, and the raw columns of encoded ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret.models import find_origins
from tabrec.preprocess import TabularPreprocessor
from tabrec.trees.fitted_trees import is_forest, read_trees


def read_groups(groups: Any, columns: list[str], sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Read groups of columns; returns their members, which are among `columns`, by name.

    `groups` is None, "source" (one group per raw column), a dict, a list of lists, or a result with `clusters`. A
    member may be a raw column if encoded ones are permuted, and vice versa.
    """
    if groups is None:
        return {}
    if isinstance(groups, str) and groups == "source":
        together: dict[str, list[str]] = {}
        for name in columns:
            together.setdefault(sources.get(name, name), []).append(name)
        return {source: members for source, members in together.items() if len(members) > 1}
    if isinstance(groups, Mapping):
        return {str(name): _resolve(members, columns, sources) for name, members in groups.items()}
    lists = getattr(groups, "clusters", groups)
    if not isinstance(lists, (list, tuple)):
        raise ValueError(
            f"groups={groups!r} must be 'source', a dict of lists of columns by name, a list of lists of columns, "
            "or the result of redundancy()."
        )
    found = [_resolve(members, columns, getattr(groups, "sources", {}) | dict(sources)) for members in lists]
    return {" + ".join(members): members for members in found if len(members) > 1}


def sources_of(model: Any, raw: list[str]) -> dict[str, str]:
    """Return the raw column of each encoded column of a fitted model, as far as it is known."""
    if is_forest(model):
        return read_trees(model, "feature_importance").sources
    return {name: origin.column for name, origin in find_origins(model).items() if origin is not None} | {
        name: name for name in raw
    }


def source_of(name: str, columns: list[str], sources: Mapping[str, str]) -> str | None:
    """Return the raw column, if it is among `columns`, that an encoded column comes from; otherwise None."""
    found = sources.get(name, name)
    return found if found in columns else None


def importance_by_source(table: pd.DataFrame) -> pd.Series:
    """Return the importance of each raw column in a table of `feature_importance`; negative values count as 0.

    It is the importance of all its encoded columns together if that was measured, otherwise their sum.
    """
    worth = table["importance"].clip(lower=0)
    alone = worth[~table["is_group"]].groupby(table["source"]).sum()
    is_whole = table["is_group"] & (table["column"] == table["source"])
    whole = worth[is_whole].set_axis(table.loc[is_whole, "source"])
    return whole.combine_first(alone)


def _resolve(members: Any, columns: list[str], sources: Mapping[str, str]) -> list[str]:
    if isinstance(members, str) or not isinstance(members, Iterable):
        raise ValueError(f"groups: {members!r} must be a list of column names, such as [{members!r}].")
    found = [column for name in members for column in _columns_of(str(name), columns, sources)]
    if not found:
        raise ValueError("groups: a group has no members: leave it out.")
    return list(dict.fromkeys(found))


def _columns_of(name: str, columns: list[str], sources: Mapping[str, str]) -> list[str]:
    if name in columns:
        return [name]
    if parts := [column for column in columns if sources.get(column) == name]:
        return parts
    if source := source_of(name, columns, sources):
        return [source]
    raise ValueError(f"groups: unknown column {name!r}; there are {columns[:20]}.")


def columns_to_drop(columns: Any, frame: pd.DataFrame) -> list[list[str]]:
    """Read the blocks of raw columns to drop: from columns, lists of columns, or a result with `clusters`."""
    names = frame.columns.tolist()
    if hasattr(columns, "clusters"):
        blocks = _blocks_of_clusters(columns, names)
    else:
        if isinstance(columns, str) or not isinstance(columns, Iterable):
            raise ValueError(f"columns={columns!r} must be a list of columns, or of lists of columns.")
        lists = [[item] if isinstance(item, (str, int, np.integer)) else item for item in columns]
        blocks = [[_name_of(item, names) for item in each] for each in lists]
        unknown = [name for block in blocks for name in block if name not in names]
        if unknown:
            raise ValueError(f"columns: unknown {unknown[0]!r}{_hint(unknown[0], frame)}; X has {names[:20]}.")
    if not blocks or not all(blocks):
        raise ValueError("columns: there is nothing to drop.")
    if any(set(block) >= set(names) for block in blocks):
        raise ValueError(f"columns: no column would be left of the {len(names)} of X.")
    return blocks


def _name_of(item: Any, names: list[str]) -> str:
    """Return the name of a column that is given by name, or by position if that is not a name."""
    is_position = isinstance(item, (int, np.integer)) and str(item) not in names and 0 <= item < len(names)
    return names[item] if is_position else str(item)


def _blocks_of_clusters(found: Any, names: list[str]) -> list[list[str]]:
    """Return a block for each column of a cluster, then a block of all but the first column of every cluster."""
    sources = getattr(found, "sources", {})
    clusters = []
    for members in found.clusters:
        raw = list(dict.fromkeys(name if name in names else source_of(name, names, sources) for name in members))
        if None in raw:
            unknown = members[[name in names or source_of(name, names, sources) for name in members].index(None)]
            raise ValueError(f"columns: unknown {unknown!r} in a cluster; X has {names[:20]}.")
        clusters.append([name for name in raw if name is not None])
    alone = [[name] for name in dict.fromkeys(name for cluster in clusters for name in cluster)]
    rest = list(dict.fromkeys(name for cluster in clusters for name in cluster[1:]))
    return alone + ([rest] if len(rest) > 1 else [])


def _hint(name: str, frame: pd.DataFrame) -> str:
    """Return a hint for messages that names the raw column of an encoded column."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = TabularPreprocessor().fit(frame).output_to_input_.get(name)
    return "" if source is None else f", which is made of {source!r}: drop that, or pass forest.encode(X) as X"
