"""Plot of a tree from left to right: cards, branches, and the rows at each node."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from tabrec.interpret.drawings._tree_canvas import (
    BAR,
    CLASS_COLOURS,
    LINE,
    MUTED,
    PAD,
    Canvas,
    bin_edges,
    column_limits,
    draw_histogram,
    draw_scatter,
    draw_strip,
    text_width,
    tint,
)
from tabrec.interpret.drawings._tree_layout import find_visits, place, read_shape
from tabrec.interpret.drawings._tree_text import (
    TreeText,
    count_leaves,
    format_prediction,
    format_share,
    plain,
    plain_all,
)
from tabrec.plotting.axes import BLUE, GREY, ORANGE, RED, ink, make_axes
from tabrec.trees.fitted_trees import FittedTrees

# In inches: space above a card, between cards, around the drawing, for the title, and for the legend (with and without
# rows).
_HEAD, _BETWEEN, _MARGIN, _TITLE, _KEY, _SHORT_KEY = 0.17, 0.11, 0.12, 0.42, 0.5, 0.3
# In inches: largest and smallest width of a card, smallest for a classifier, and width of the page.
_MAX_WIDTH, _MIN_WIDTH, _MIN_CLASS_WIDTH, _PAGE = 2.05, 1.5, 1.8, 9.6
_SCATTER, _STRIP, _ENDS = 0.72, 0.26, 0.13  # in inches: heights of plots of rows, and of the labels of their axis
_SPACE = 0.07
_MAX_NODES_WITH_ROWS = 31


class TreePlot:
    """A drawing of a tree, the `tree_` of one of `trees`, with one output.

    `matrix` holds encoded rows to count at the nodes, `target` their target (for a classifier, positions of classes),
    and `row`, (1, n_encoded), the row whose decision path is marked; each may be None.
    """

    def __init__(self, trees: FittedTrees, tree: Any, max_depth: int | None, matrix: Any, target: Any, row: Any):
        self.trees, self.tree, self.matrix, self.target = trees, tree, matrix, target
        self.text, self.shape = TreeText(trees), read_shape(tree, max_depth)
        self.values = trees.values(tree)[:, 0, :]
        self.row: Any = None if row is None else row[0]
        self.path = set() if row is None else set(find_visits(tree, row).indices.tolist())
        self.shows_rows = target is not None and len(self.shape.nodes) <= _MAX_NODES_WITH_ROWS
        n_levels = max(self.shape.depth.values()) + 1
        self.gap = 0.42 if n_levels < 5 else 0.3
        narrowest = _MIN_CLASS_WIDTH if trees.is_classifier else _MIN_WIDTH
        self.width = min(_MAX_WIDTH, max(narrowest, (_PAGE + self.gap) / n_levels - self.gap))
        self.n_levels = n_levels

    def draw(self, ax: Any, title: str, target_name: str) -> Any:
        """Draw on axes, or on a new figure that fits the tree."""
        middles = place(self.shape, self._height)
        bottom = max(middle + self._height(node) / 2 for node, middle in middles.items())
        size = (
            max(2 * _MARGIN + self.n_levels * (self.width + self.gap) - self.gap, 6.4 if self.shows_rows else 4.6),
            _TITLE + bottom + (_KEY if self.shows_rows else _SHORT_KEY),
        )
        canvas = _prepare(ax, size)
        canvas.write(_MARGIN, 0.2, title, size[0] - 2 * _MARGIN, size=10, weight="bold")
        tops = {node: middle + _TITLE - self._height(node) / 2 + _HEAD for node, middle in middles.items()}
        self._draw_branches(canvas, tops)
        for node in self.shape.nodes:
            self._draw_node(canvas, node, tops[node])
        self._draw_key(canvas, size, target_name)
        return canvas.ax

    def _left(self, node: int) -> float:
        return _MARGIN + self.shape.depth[node] * (self.width + self.gap)

    def _height(self, node: int) -> float:
        return _HEAD + self._card_height(node) + _BETWEEN

    def _card_height(self, node: int) -> float:
        has_second_line = node in self.shape.children or node in self.shape.hidden
        height = 2 * PAD + LINE * (1 + has_second_line)
        if self.trees.is_classifier:
            height += BAR + 0.02
        return height + self._plot_height(node)

    def _plot_height(self, node: int) -> float:
        if not self.shows_rows:
            return 0.0
        if node in self.shape.children:
            return _SCATTER + _ENDS
        return 0.0 if self.trees.is_classifier else _STRIP

    def _draw_branches(self, canvas: Canvas, tops: dict[int, float]) -> None:
        for node, children in self.shape.children.items():
            start = (self._left(node) + self.width, tops[node] + self._card_height(node) / 2)
            for child in children:
                end = (self._left(child), tops[child] + self._card_height(child) / 2)
                share = self.counts[child] / max(self.counts[0], 1)
                canvas.branch(start, end, share, child in self.path)

    def _draw_node(self, canvas: Canvas, node: int, top: float) -> None:
        left, inner = self._left(node), self.width - 2 * PAD
        on_path = node in self.path
        canvas.write(left + 0.02, top - 0.09, self.conditions[node], self.width, color=RED if on_path else ink())
        canvas.card(left, top, self.width, self._card_height(node), self._colour(node), on_path)
        line = top + PAD + LINE / 2
        self._write_prediction(canvas, left + PAD, line, inner, node)
        if node in self.shape.children:
            line += LINE
            self._write_column(canvas, left + PAD, line, inner, node)
        elif node in self.shape.hidden:
            line += LINE
            canvas.write(left + PAD, line, count_leaves(self.shape.hidden[node]), inner, style="italic", color=MUTED)
        below = line + LINE / 2 + 0.01
        if self.trees.is_classifier:
            shares, colours = self._shown_shares(node)
            canvas.bar(left + PAD, below, inner, shares, colours, BAR)
            below += BAR + 0.02
        if self._plot_height(node):
            self._draw_rows(canvas, node, left + PAD, below, inner)

    def _write_prediction(self, canvas: Canvas, left: float, line: float, width: float, node: int) -> None:
        """Write the prediction and the number of rows."""
        n = int(self.counts[node])
        count = f"{n:,} row{'' if n == 1 else 's'}"
        width -= _SPACE + canvas.write(left + width, line, count, width / 2, color=MUTED, ha="right", size=7.2)
        values, tail = self.values[node], ""
        found = self.text.prediction(values[None])
        if self.trees.is_classifier:
            found, tail = plain(self.trees.classes[values.argmax()], 40), f" {format_share(values.max())}"
        canvas.write(left, line, found, width, tail, size=8.4, weight="bold")

    def _write_column(self, canvas: Canvas, left: float, line: float, width: float, node: int) -> None:
        """Write the column of the split, and its value in the marked row."""
        position = int(self.tree.feature[node])
        column = self.text.column(position)
        if node not in self.path:
            canvas.write(left, line, column, width, " ?")
            return
        value = f"= {self.text.value(position, float(self.row[position]))}"
        end = left + width
        width -= _SPACE + canvas.write(end, line, value, width / 2, color=RED, ha="right", weight="bold")
        canvas.write(left, line, column, width)

    def _draw_rows(self, canvas: Canvas, node: int, left: float, top: float, width: float) -> None:
        rows = self._members(node)
        if node not in self.shape.children:
            draw_strip(canvas, canvas.inset(left, top, width, _STRIP - 0.03), self.target[rows], self.limits)
            return
        inset = canvas.inset(left, top, width, _SCATTER)
        position, threshold = int(self.tree.feature[node]), float(self.tree.threshold[node])
        seen, y = self.matrix[rows, position].astype(np.float64), self.target[rows]
        seen, y = seen[~np.isnan(seen)], y[~np.isnan(seen)]
        name = self.trees.names[position]
        x, threshold = self.trees.restore(name, seen), float(self.trees.restore(name, threshold))
        is_code = self.text.has_labels(position) or self.text.is_flag(position)
        limits = column_limits(x, threshold, is_code)
        inset.set_xlim(limits)
        ends = self._ends(position, seen, x, limits, is_code)
        x = np.clip(x, *limits)
        if self.trees.is_classifier:
            edges = bin_edges(threshold, is_code, limits)
            draw_histogram(inset, x, self._shown_class[y], edges, self._class_colours)
        else:
            draw_scatter(canvas, inset, x, y, threshold, self.limits, spread=0.28 if is_code else 0.0)
        at = np.floor(threshold) + 0.5 if is_code else threshold
        inset.axvline(at, color=ink(), linewidth=0.9 * canvas.scale, linestyle=(0, (3, 2)))
        if node in self.path and not np.isnan(self.row[position]):
            inset.axvline(
                np.clip(self.trees.restore(name, self.row[position]), *limits), color=RED, linewidth=1.4 * canvas.scale
            )
        line, room = top + _SCATTER + 0.065, width / 2 - 0.03
        canvas.write(left, line, ends[0], room, size=6, color=MUTED)
        canvas.write(left + width, line, ends[1], room, size=6, color=MUTED, ha="right")

    def _ends(
        self, position: int, seen: np.ndarray, x: np.ndarray, limits: tuple[float, float], is_code: bool
    ) -> tuple[str, str]:
        """Format the ends of the range shown; values outside are drawn at the ends.

        `seen` holds the numbers that the trees see, `x` the same numbers in the units of the column.
        """
        if is_code:
            return self.text.value(position, limits[0] + 0.5), self.text.value(position, limits[1] - 0.5)
        low, high = limits
        within = seen[(x >= low) & (x <= high)]
        if not len(within):
            return "", ""
        ends = (self.text.value(position, float(end), digits=4) for end in (within.min(), within.max()))
        beyond = ("≤ " if (x < low).any() else "", "≥ " if (x > high).any() else "")
        return beyond[0] + next(ends), beyond[1] + next(ends)

    def _draw_key(self, canvas: Canvas, size: tuple[float, float], target_name: str) -> None:
        """Draw the legend below the tree."""
        line = size[1] - (_KEY if self.shows_rows else _SHORT_KEY) + 0.14
        if self.trees.is_classifier:
            names = plain_all((self.trees.classes[k] for k in self._shown_classes), 22)
            canvas.swatches(
                _MARGIN, line, names + [f"{self._n_others} others"] * (self._n_others > 0), self._class_colours
            )
        else:
            low, high = self._value_range
            shades = [self._shade(value) for value in np.linspace(low, high, 48)]
            canvas.ramp(
                _MARGIN, line, f"mean {plain(target_name, 28)}", format_prediction(low), format_prediction(high), shades
            )
        if self.shows_rows:
            canvas.write(_MARGIN, line + 0.2, self._note(target_name), size[0] - 2 * _MARGIN, size=7, color=MUTED)

    def _note(self, target_name: str) -> str:
        name = plain(target_name, 28)
        if self.trees.is_classifier:
            return "Plots: rows by the column of the split, stacked by class; dashed: thresholds."
        low, high = (format_prediction(float(end)) for end in (self.target.min(), self.target.max()))
        return (
            f"Dots: rows, {name} from {low} to {high} (vertical at splits, horizontal at leaves); "
            "orange: means; dashed: thresholds."
        )

    def _colour(self, node: int) -> str:
        """Return the background colour of a card, by the difference of its mean from the root or its majority class."""
        if not self.trees.is_classifier:
            return self._shade(self.values[node, 0])
        most = int(self.values[node].argmax())
        return tint(self._class_colours[self._shown_class[most]], 0.06 + 0.2 * float(self.values[node, most]))

    def _shade(self, value: float) -> str:
        low, high = self._value_range
        middle = self.values[0, 0]
        furthest = max(high - middle, middle - low) or 1.0
        away = (value - middle) / furthest
        return tint(ORANGE if away > 0 else BLUE, 0.03 + 0.42 * abs(float(away)))

    def _shown_shares(self, node: int) -> tuple[np.ndarray, list[str]]:
        """Return the shares of the coloured classes, and of all others together."""
        shares = np.bincount(self._shown_class, self.values[node], minlength=len(self._class_colours))
        return shares, self._class_colours

    def _members(self, node: int) -> np.ndarray:
        """Return the positions of the rows that reach a node."""
        return self._visits.indices[self._visits.indptr[node] : self._visits.indptr[node + 1]]

    @cached_property
    def _visits(self) -> Any:
        return find_visits(self.tree, self.matrix).tocsc()

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of rows at each node."""
        return np.asarray(self.tree.n_node_samples) if self.matrix is None else np.diff(self._visits.indptr)

    @cached_property
    def limits(self) -> tuple[float, float]:
        """Limits of the target axis."""
        low, high = float(self.target.min()), float(self.target.max())
        room = 0.04 * (high - low) or 0.5
        return low - room, high + room

    @cached_property
    def conditions(self) -> dict[int, str]:
        letters = int(self.width / text_width("n") * 1.1)
        return self.text.describe_nodes(self.tree, self.shape, self._missing_side, letters)

    def _missing_side(self, node: int, position: int) -> str | None:
        """Return the side to which a split sends missing numbers, if any row at the node has one."""
        seen = [] if self.matrix is None else self.matrix[self._members(node), position]
        of_row = self.row[position] if node in self.path else 0.0
        if not np.isnan(np.append(seen, of_row)).any():
            return None
        return "left" if self.tree.missing_go_to_left[node] else "right"

    @cached_property
    def _value_range(self) -> tuple[float, float]:
        shown = self.values[self.shape.nodes, 0]
        return float(shown.min()), float(shown.max())

    @cached_property
    def _shown_classes(self) -> np.ndarray:
        """The most frequent classes, which have their own colour."""
        n_classes = self.values.shape[1]
        most = n_classes if n_classes <= len(CLASS_COLOURS) else len(CLASS_COLOURS) - 1
        return np.sort(np.argsort(-self.values[0], kind="stable")[:most])

    @property
    def _n_others(self) -> int:
        return self.values.shape[1] - len(self._shown_classes)

    @cached_property
    def _shown_class(self) -> np.ndarray:
        """The position of each class among the coloured ones; other classes share the next position."""
        places = np.full(self.values.shape[1], len(self._shown_classes))
        places[self._shown_classes] = np.arange(len(self._shown_classes))
        return places

    @property
    def _class_colours(self) -> list[str]:
        return CLASS_COLOURS[: len(self._shown_classes)] + [GREY] * (self._n_others > 0)


def _prepare(ax: Any, size: tuple[float, float]) -> Canvas:
    """Return a canvas whose units are inches at full size."""
    own = ax is None
    ax = make_axes(ax, size)
    if own:
        ax.figure.set_layout_engine("none")
        ax.set_position((0, 0, 1, 1))
    ax.set_xlim(0, size[0])
    ax.set_ylim(size[1], 0)
    ax.set_aspect("equal", anchor="NW")
    ax.set_axis_off()
    room = ax.get_window_extent()
    dpi = ax.figure.dpi
    return Canvas(ax, min(room.width / dpi / size[0], room.height / dpi / size[1]))
