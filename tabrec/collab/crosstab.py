"""The ratings of the busiest users for the most rated items, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tabrec.plotting.axes import make_axes, shorten
from tabrec.tables.columns import Column, as_frame, to_columns
from tabrec.tables.sizes import is_integer

_INK, _BLANK, _FAINT = "#24292f", "#f3f4f6", "#6b7280"


def crosstab(
    ratings: Any,
    n: int = 15,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    labels: pd.Series | Mapping | None = None,
) -> pd.DataFrame:
    """Lay out the ratings of the busiest users for the most rated items as a table.

    Its gaps are what collaborative filtering has to fill.

    Parameters
    ----------
    ratings : dataframe (pandas, polars or pyarrow) or array-like of shape (n_ratings, n_columns)
        One rating in each row. It is not changed.
    n : int, default=15
        How many users and how many items, at least 1; fewer where there are fewer.
    user, item, rating : str, default=None
        The columns of users, items and ratings. None takes the first columns that are not named here, in this order.
    labels : pandas.Series or mapping, default=None
        Item id -> title, to name the columns by, as ``load_movielens("100k").items["title"]``. An item that is not in
        it keeps its id.

    Returns
    -------
    table : pandas.DataFrame of shape (n, n), float64
        Users in rows, the busiest first; items in columns, the most rated first; of equals the one that comes first in
        `ratings`. NaN where there is no rating, the mean where there is more than one.

    Raises
    ------
    ValueError
        If a column is absent, has missing ids or holds ratings that are no numbers, or `n` is below 1.

    See Also
    --------
    plot_crosstab : The picture of it.

    References
    ----------
    .. [1] J. Howard and S. Gugger, "Deep Learning for Coders with fastai and PyTorch", O'Reilly, 2020,
       chapter 8, figure 8-1.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.crosstab import crosstab
    >>> ratings = pd.DataFrame(
    ...     {"user": [1, 1, 2, 2, 2, 3], "item": [7, 8, 7, 9, 8, 7], "rating": [5, 3, 4, 1, 2, 5]})
    >>> crosstab(ratings, n=2, labels={7: "Toy Story", 8: "Jumanji"})
    item  Toy Story  Jumanji
    user
    2           4.0      2.0
    1           5.0      3.0
    """
    if not is_integer(n) or n < 1:
        raise ValueError(f"n={n!r} must be an integer of at least 1.")
    frame = as_frame(ratings)
    names = _column_names(list(frame.columns), {"user": user, "item": item, "rating": rating})
    columns = to_columns(frame[names])
    users, items = (_ids(columns[name]) for name in names[:2])
    values = columns[names[2]]
    if not values.is_number:
        raise ValueError(f"Column {names[2]!r} must hold ratings, which are numbers, but holds {values.family()}.")
    long = pd.DataFrame({"user": users, "item": items, "rating": values.values})
    busiest, most_rated = _most_frequent(users, n), _most_frequent(items, n)
    long = long[long["user"].isin(busiest) & long["item"].isin(most_rated)]
    table = long.groupby(["user", "item"])["rating"].mean().unstack("item").astype(np.float64)
    table = table.reindex(index=busiest, columns=most_rated)
    titles = dict(labels.items()) if labels is not None else {}
    table.columns = pd.Index([titles.get(id_, id_) for id_ in most_rated], name=names[1])
    return table.rename_axis(index=names[0])


def plot_crosstab(table: pd.DataFrame, ax: Any = None) -> Any:
    """Draw a table of ratings: the darker, the higher; blank where there is no rating.

    Parameters
    ----------
    table : pandas.DataFrame of shape (n_users, n_items)
        What `crosstab` gives.
    ax : matplotlib.axes.Axes, default=None
        None makes a new figure, large enough for the table; save it with ``ax.figure.savefig``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the table is empty or holds something else than numbers.

    See Also
    --------
    crosstab : The table.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.crosstab import plot_crosstab
    >>> ax = plot_crosstab(pd.DataFrame({"Toy Story": [4, None], "Jumanji": [2, 5]}, index=[17, 23]))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['Toy Story', 'Jumanji']
    """
    if not isinstance(table, pd.DataFrame) or table.empty:
        raise ValueError("table must be a frame with users in rows and items in columns, as crosstab gives it.")
    try:
        values = table.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"table must hold ratings, which are numbers: {error}.") from error
    n_users, n_items = table.shape
    ax = make_axes(ax, (2.4 + 0.52 * n_items, 2.4 + 0.4 * n_users))
    _draw_cells(ax, values)
    ax.set_xticks(np.arange(n_items), [shorten(name) for name in table.columns], fontsize=9, color=_INK)
    ax.set_yticks(np.arange(n_users), [shorten(name) for name in table.index], fontsize=9, color=_INK)
    ax.set_xlabel(shorten(table.columns.name or "item"), loc="left", color=_FAINT)
    ax.set_ylabel(shorten(table.index.name or "user"), loc="top", color=_FAINT)
    ax.tick_params(length=0, pad=4, top=False, bottom=False, labeltop=True, labelbottom=False)
    ax.xaxis.set_label_position("top")
    for label in ax.get_xticklabels():
        label.set(rotation=45, ha="left", rotation_mode="anchor")
    ax.spines[:].set_visible(False)
    return ax


def _column_names(present: list[str], told: dict[str, str | None]) -> list[str]:
    """The columns of users, items and ratings; those not told are the first ones left, in order."""
    rest = [name for name in present if name not in told.values()]
    names = []
    for role, name in told.items():
        if name is None and not rest:
            raise ValueError(f"The table has no column left for the {role}s; it has {present}.")
        if name is not None and name not in present:
            raise ValueError(f"No column {name!r} for the {role}s in the table; it has {present[:20]}.")
        names.append(rest.pop(0) if name is None else name)
    if len(set(names)) < len(names):
        raise ValueError(f"user, item and rating must be three columns, not {', '.join(map(repr, names))}.")
    return names


def _ids(column: Column) -> pd.Series:
    if column.missing.any():
        row = int(np.argmax(column.missing))
        raise ValueError(f"Column {column.name!r} has no id in row {row} (counted from 0).")
    codes, labels = column.as_labels()
    return pd.Series(labels).take(codes).reset_index(drop=True)


def _most_frequent(ids: pd.Series, n: int) -> pd.Index:
    return ids.groupby(ids, sort=False).size().sort_values(ascending=False, kind="stable").index[:n]


def _draw_cells(ax: Any, values: np.ndarray) -> None:
    """Draw a tile for each rating, its value in it, dark on light or light on dark."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    # the darkest third of the colours is left out: it is all but black
    scale = Normalize(low, high + ((high - low) / 2 or 1.0))
    colors = colormaps["YlGnBu"].with_extremes(bad=_BLANK)
    n_users, n_items = values.shape
    edges = np.arange(n_items + 1) - 0.5, np.arange(n_users + 1) - 0.5
    ax.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=colors, norm=scale, edgecolor="white", linewidth=2)
    for row, column in np.argwhere(np.isfinite(values)):
        value = values[row, column]
        red, green, blue, _ = colors(scale(value))
        is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        ink = "white" if is_dark else _INK
        ax.text(column, row, f"{value:.3g}", ha="center", va="center", color=ink, fontsize=9)
    ax.set(xlim=(-0.5, n_items - 0.5), ylim=(n_users - 0.5, -0.5))
