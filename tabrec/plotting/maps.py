"""Maps of vectors: scatter plots of principal components, with labels placed to overlap least."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabrec.plotting.axes import BLUE, finish, make_axes

# Candidate places of a label around its point, best first: horizontal side, and vertical steps.
_PLACES = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
_PLACES += [(across, up) for up in (2, -2, 3, -3) for across in (0, 1, -1)]
# In points: a vertical step, the height of a line, and the mean width of a character.
_STEP, _HEIGHT, _WIDTH_OF_LETTER = 8.5, 8.5, 4.1


def principal_components(vectors: np.ndarray) -> np.ndarray:
    """Return the first two principal component scores, (n_rows, 2); the largest absolute value of each is positive."""
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    components = np.zeros((len(vectors), 2))
    n = min(2, len(sizes))
    components[:, :n] = left[:, :n] * sizes[:n]
    largest = components[np.abs(components).argmax(axis=0), [0, 1]]
    return components * np.where(largest < 0, -1.0, 1.0)


def draw_labelled(points: np.ndarray, texts: list[str], title: str, ax: Any) -> Any:
    """Draw points of shape (n, 2) with one label each."""
    ax = make_axes(ax, (11, 8))
    ax.scatter(*points.T, s=16, color=BLUE, zorder=3)
    ax.margins(0.16, 0.06)
    ax.set_title(title)
    ax.set_xlabel("first principal component")
    ax.set_ylabel("second principal component")
    _place_labels(ax, points, texts)
    return finish(ax)


def _place_labels(ax: Any, points: np.ndarray, texts: list[str]) -> None:
    """Place each label where it overlaps least; isolated points come first."""
    ax.figure.draw_without_rendering()
    at, frame = ax.transData.transform(points), ax.bbox
    per_point = ax.figure.dpi / 72
    taken: list[tuple[float, ...]] = [(x - 4, y - 4, x + 4, y + 4) for x, y in at]
    gaps = np.linalg.norm(at[:, None] - at[None], axis=2) + np.eye(len(at)) * 1e9
    for row in np.argsort(-gaps.min(axis=1), kind="stable"):
        width = len(texts[row]) * _WIDTH_OF_LETTER * per_point
        boxes = [_box(at[row], across, up, width, per_point) for across, up in _PLACES]
        hidden = [sum(_overlap(box, other) for other in taken) for box in boxes]
        outside = [_area(box) - _overlap(box, (frame.x0, frame.y0, frame.x1, frame.y1)) for box in boxes]
        best = int(np.argmin(np.add(hidden, outside)))
        across, up = _PLACES[best]
        taken.append(boxes[best])
        is_far = abs(up) > 1
        ax.annotate(
            texts[row],
            points[row],
            xytext=(5 * across, _STEP * up),
            textcoords="offset points",
            fontsize=7.5,
            ha={1: "left", -1: "right", 0: "center"}[across],
            va="center",
            arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6} if is_far else None,
        )


def _box(point: np.ndarray, across: int, up: int, width: float, per_point: float) -> tuple[float, ...]:
    """Return left, bottom, right and top of a label, in pixels."""
    left = point[0] + {1: 5 * per_point, -1: -5 * per_point - width, 0: -width / 2}[across]
    middle, height = point[1] + up * _STEP * per_point, _HEIGHT * per_point
    return left, middle - height / 2, left + width, middle + height / 2


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: tuple[float, ...]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
