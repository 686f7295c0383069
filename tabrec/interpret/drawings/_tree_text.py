"""Text of a tree: splits by column names and labels, values, and predictions of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import _num_samples

from tabrec.interpret.drawings._tree_layout import Shape
from tabrec.interpret.models import find_date_formats, fitted_steps
from tabrec.plotting.axes import shorten, shorten_all
from tabrec.preprocess import Normalize, TabularPreprocessor
from tabrec.preprocess.lineage import Origin
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.rows import take_rows
from tabrec.trees.fitted_trees import FittedTrees

_MAX_LABEL = 24
_FEW_LABELS = 3
_HALF_DAY, _PRECISION = 43_200, 128  # in seconds, the resolution of float32 for seconds since 1970
_FINE = 0.01  # in seconds; fractions are shown from this precision on

# Lowest and highest code that can reach a node, by position of the column.
Bounds = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class TreeText:
    """Formats the splits, values and predictions of trees."""

    trees: FittedTrees

    def column(self, position: int) -> str:
        """Return the raw column that a split on an encoded column tests."""
        name = self.trees.names[position]
        origin = self._origins.get(name)
        if origin is not None and origin.kind == "missing":
            return f"{self._short_columns[origin.column]} missing"
        return self._short_columns[self._dates.get(name, (name, None))[0]]

    def value(self, position: int, number: float, digits: int = 6) -> str:
        """Format a value of an encoded column: its label, date, or number."""
        name = self.trees.names[position]
        if np.isnan(number):
            return "missing"
        if name in self.trees.labels:
            labels = self._short_labels(name)
            code = int(number)
            return labels[code] if 0 <= code < len(labels) else str(code)
        if self.is_flag(position):
            return "yes" if number > 0.5 else "no"
        number = self._restore(name, number)
        return self._date(name, number) if name in self._dates else format_number(number, digits)

    def describe_nodes(
        self, tree: Any, shape: Shape, missing_side: Callable[[int, int], str | None], width: int = 60
    ) -> dict[int, str]:
        """Return for each node the condition that leads to it from its parent, without the column.

        `missing_side` maps a node and the position of its column to the side of missing numbers, "left" or "right", or
        to None to omit them; a list of labels takes at most `width` characters.
        """
        texts: dict[int, str] = {0: "all rows"}
        bounds: dict[int, Bounds] = {0: {}}
        for node, children in shape.children.items():
            position, threshold = int(tree.feature[node]), float(tree.threshold[node])
            sides = self.conditions(position, threshold, bounds[node], width, missing_side(node, position))
            texts |= dict(zip(children, sides, strict=True))
            bounds |= dict(zip(children, self._narrow(position, threshold, bounds[node]), strict=True))
        return texts

    def conditions(
        self, position: int, threshold: float, bounds: Bounds, width: int = 60, missing: str | None = None
    ) -> tuple[str, str]:
        """Return the conditions of the left and the right side of a split; see `describe_nodes` for parameters."""
        name = self.trees.names[position]
        if name in self.trees.labels:
            return self._label_conditions(name, threshold, self._codes(position, bounds), width)
        if self.is_flag(position):
            return "= no", "= yes"
        at = self.value(position, threshold)
        left, right = (" or missing" if missing == side else "" for side in ("left", "right"))
        of_target = "mean target " if name in self.trees.target_encoded else ""
        return f"{of_target}≤ {at}{left}", f"{of_target}> {at}{right}"

    def has_labels(self, position: int) -> bool:
        return self.trees.names[position] in self.trees.labels

    def is_flag(self, position: int) -> bool:
        """Return whether an encoded column is boolean."""
        return self.trees.names[position] in self._flags

    def _codes(self, position: int, bounds: Bounds) -> tuple[int, int]:
        return bounds.get(position, (0, len(self.trees.labels[self.trees.names[position]]) - 1))

    def _narrow(self, position: int, threshold: float, bounds: Bounds) -> tuple[Bounds, Bounds]:
        """Return the codes that can reach the left and the right child of a split."""
        if not self.has_labels(position):
            return bounds, bounds
        low, high = self._codes(position, bounds)
        last = int(np.floor(threshold))
        return bounds | {position: (low, min(high, last))}, bounds | {position: (max(low, last + 1), high)}

    def prediction(self, values: np.ndarray) -> str:
        """Format the prediction of a node, values of shape (n_outputs, n_values)."""
        if not self.trees.is_classifier:
            return ", ".join(format_prediction(output[0]) for output in values)
        classes = self.trees.classes if self.trees.n_outputs > 1 else [self.trees.classes]
        return ", ".join(
            f"{plain(labels[shares.argmax()], _MAX_LABEL)} {format_share(shares.max())}"
            for labels, shares in zip(classes, values, strict=True)
        )

    def _label_conditions(self, name: str, threshold: float, codes: tuple[int, int], width: int) -> tuple[str, str]:
        labels, last = self._short_labels(name), int(np.floor(threshold))
        left = labels[codes[0] : last + 1]
        right = labels[max(last + 1, codes[0]) : codes[1] + 1]
        return _membership(left, right, width), _membership(right, left, width)

    def _restore(self, name: str, number: float) -> float:
        """Convert a number as the trees see it to the units of its column."""
        number = float(self.trees.restore(name, number))
        step = self._normalizers.get(name)
        return number if step is None else float(step.unscale(name, np.array([number]))[0])

    def _date(self, name: str, seconds: float) -> str:
        is_exact = name in self.trees.float32_maps
        precision = self.trees.float32_maps[name].precision if is_exact else _PRECISION
        is_fine = precision < _FINE
        date = pd.Timestamp(int(np.floor(seconds * 1e6 if is_fine else seconds)), unit="us" if is_fine else "s")
        zone = self._dates[name][1]
        if zone is not None:
            date = date.tz_localize("UTC").tz_convert(zone)
        # A threshold between two dates without times is at midnight or noon, up to the precision of the numbers.
        near = date + pd.Timedelta(seconds=precision)
        if (near - near.normalize()).total_seconds() % _HALF_DAY <= 2 * precision:
            return f"{near:%Y-%m-%d}"
        if date.microsecond:
            return f"{date:%Y-%m-%d %H:%M:%S.%f}".rstrip("0")
        return f"{date:%Y-%m-%d %H:%M:%S}" if is_exact and date.second else f"{date:%Y-%m-%d %H:%M}"

    def elapsed_zone(self, name: str) -> tuple[bool, str | None]:
        """Return whether an encoded column holds seconds since 1970, and the time zone of its dates."""
        _, zone = self._dates.get(name, (None, None))
        return name in self._dates and name not in self._normalizers, zone

    def _short_labels(self, name: str) -> list[str]:
        """Return the labels of a column by code, shortened but distinct; code 0 is "missing"."""
        if name not in self._shortened:
            texts = plain_all(self.trees.labels[name][1:], _MAX_LABEL)
            self._shortened[name] = ["missing", *[text or "(empty)" for text in texts]]
        return self._shortened[name]

    @cached_property
    def _shortened(self) -> dict[str, list[str]]:
        return {}

    @cached_property
    def _short_columns(self) -> dict[str, str]:
        """The names of columns in splits, shortened but distinct."""
        names = [self._dates.get(name, (name, None))[0] for name in self.trees.names]
        names += [origin.column for origin in self._origins.values()]
        names = list(dict.fromkeys(names))
        return dict(zip(names, plain_all(names, 40), strict=True))

    @cached_property
    def _steps(self) -> list[Any]:
        return fitted_steps(self.trees.model)

    @cached_property
    def _origins(self) -> dict[str, Origin]:
        return {name: origin for name, origin in self.trees.origins.items() if origin is not None}

    @cached_property
    def _dates(self) -> dict[str, tuple[str, str | None]]:
        """The date column and time zone of each column of seconds since 1970."""
        zones = {name: zone for name, (_, zone) in find_date_formats(self.trees.model).items()}
        parts = {name: origin for name, origin in self._origins.items() if origin.kind == "date part"}
        return {name: (part.column, zones.get(part.column)) for name, part in parts.items() if part.part == "Elapsed"}

    @cached_property
    def _flags(self) -> set[str]:
        """Boolean columns: missing indicators, boolean date parts, and booleans of an encoded frame."""
        steps = [step for step in self._steps if isinstance(step, TabularPreprocessor)]
        given = {str(name) for step in steps for name in step._flags}
        return given | {
            name
            for name, origin in self._origins.items()
            if origin.kind == "missing" or (origin.part or "").startswith("Is_")
        }

    @cached_property
    def _normalizers(self) -> dict[str, Normalize]:
        """The fitted `Normalize` of each encoded column."""
        steps = [step.normalize_ if isinstance(step, TabularPreprocessor) else step for step in self._steps]
        return {name: step for step in steps if isinstance(step, Normalize) for name in step.means_}


def read_tree(trees: FittedTrees, tree: int) -> Any:
    """Return tree number `tree`, or raise a ValueError with the number of trees."""
    if tree >= len(trees.trees):
        n_trees = len(trees.trees)
        raise ValueError(f"tree={tree!r} must be in the range [0, {n_trees}): the model has {n_trees} trees.")
    return trees.trees[tree]


def read_row(trees: FittedTrees, X: Any, row: Any) -> np.ndarray:
    """Encode one row, given as a table of one row, a Series, a list, or a position in X; of shape (1, n_encoded)."""
    if isinstance(row, (int, np.integer)):
        if X is None:
            raise ValueError(f"row={row!r} is a position in X, but no X is given: pass X, or the row itself.")
        frame = read_frame(X)
        if not 0 <= row < len(frame):
            raise ValueError(f"row={row!r} must be a position in X, from 0 to {len(frame) - 1}.")
        return trees.matrix(take_rows(X, np.array([row]), frame))
    if isinstance(row, pd.Series):
        row = row.to_frame().T.infer_objects()
    elif not is_table(row):
        row = np.atleast_2d(np.asarray(row))
    if _num_samples(row) != 1:
        raise ValueError(f"row must be one row, but has {_num_samples(row)}.")
    return trees.matrix(row)


def count_leaves(n: int) -> str:
    return f"… {n} more {'leaf' if n == 1 else 'leaves'}"


def plain(label: Any, longest: int) -> str:
    """Return a label as one short line, without escaped dollar signs."""
    return shorten(label, longest).replace(r"\$", "$")


def plain_all(labels: Iterable, longest: int) -> list[str]:
    """Return the labels as short lines like `plain`; those that would become equal stay as long as needed to differ."""
    return [text.replace(r"\$", "$") for text in shorten_all(labels, longest)]


def format_number(number: float, digits: int = 6) -> str:
    """Format a number with `digits` significant digits, and with all digits of its integer part."""
    if number != 0 and not 1e-4 <= abs(number) < 1e15:
        return f"{number:.4g}"
    digits = max(digits, int(np.log10(max(abs(number), 1))) + 2)
    return np.format_float_positional(number, precision=digits, unique=False, fractional=False, trim="-")


def format_prediction(number: float) -> str:
    """Format a prediction with four significant digits and thousands separators."""
    return f"{number:,.0f}" if 1e3 <= abs(number) < 1e15 else f"{number:.4g}"


def format_share(share: float) -> str:
    return "<1%" if 0 < share < 0.01 else f"{share:.0%}"


def _membership(here: list[str], other: list[str], width: int) -> str:
    """Describe the labels of a side, or the labels of the other side if those are few."""
    if len(other) <= _FEW_LABELS < len(here):
        return f"≠ {other[0]}" if len(other) == 1 else f"not in {_list(other, width - 4)}"
    return f"= {here[0]}" if len(here) == 1 else f"in {_list(here, width)}"


def _list(labels: list[str], width: int) -> str:
    """List as many labels in braces as fit, and the number of the others."""
    if not labels:
        return "{}"
    if len(", ".join(labels)) <= width - len("in {}"):
        return "{" + ", ".join(labels) + "}"
    room, shown = width - len("in {, … +99}"), 1
    while shown < len(labels) and len(", ".join(labels[: shown + 1])) <= room:
        shown += 1
    more = f", … +{len(labels) - shown}" if shown < len(labels) else ""
    return "{" + ", ".join(labels[:shown]) + more + "}"
