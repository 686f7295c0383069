"""Ratings of the most active users for the most rated items, as a table and as a plot."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params

from tabrec.collab.ids import labels_by_row
from tabrec.collab.rating_columns import find_rating_columns
from tabrec.plotting.axes import make_axes, paper, shorten, shorten_all
from tabrec.tables.columns import as_frame, to_columns

_INK, _BLANK, _FAINT = "#24292f", "#f3f4f6", "#6b7280"


@validate_params({"n": [Interval(Integral, 1, None, closed="left")]}, prefer_skip_nested_validation=True)
def crosstab(
    ratings: Any,
    n: int = 15,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    labels: pd.Series | Mapping | None = None,
) -> pd.DataFrame:
    """Tabulate the ratings of the most active users for the most rated items.

    The empty cells are the ratings that collaborative filtering predicts.

    Parameters
    ----------
    ratings : dataframe (pandas, polars or pyarrow) or array-like of shape (n_ratings, n_columns)
        One rating in each row. It is not modified.
    n : int, default=15
        Number of users and of items, at least 1; all of them if there are fewer.
    user, item, rating : str, default=None
        Columns of users, items and ratings. None finds them by usual names, such as "userId", and by their content.
    labels : pandas.Series or mapping, default=None
        Title of each item by id, for the column names, such as ``load_movielens("100k").items["title"]``. An item
        without a title keeps its id.

    Returns
    -------
    table : pandas.DataFrame of shape (n, n), float64
        Users in rows, the most active first; items in columns, the most rated first. Ties keep the order of `ratings`.
        NaN where there is no rating; the mean where there are several.

    Raises
    ------
    ValueError
        If a column is absent, has missing ids or holds ratings that are not numbers, or `n` is less than 1.

    See Also
    --------
    plot_crosstab : Draws the table.

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
    frame = as_frame(ratings)
    names = list(find_rating_columns(frame, user=user, item=item, rating=rating))
    columns = to_columns(frame[names])
    users, items = (labels_by_row(columns[name]) for name in names[:2])
    values = columns[names[2]]
    if not values.is_number:
        raise ValueError(f"Column {names[2]!r} must hold ratings as numbers, but holds {values.family()}.")
    long = pd.DataFrame({"user": users, "item": items, "rating": values.values})
    most_active, most_rated = _most_frequent(users, n), _most_frequent(items, n)
    long = long[long["user"].isin(most_active) & long["item"].isin(most_rated)]
    table = long.groupby(["user", "item"])["rating"].mean().unstack("item").astype(np.float64)
    table = table.reindex(index=most_active, columns=most_rated)
    titles = dict(labels.items()) if labels is not None else {}
    table.columns = pd.Index([titles.get(id_, id_) for id_ in most_rated], name=names[1])
    return table.rename_axis(index=names[0])


def plot_crosstab(table: pd.DataFrame, ax: Any = None) -> Any:
    """Draw a table of ratings as a heat map: higher ratings are darker, missing ones are blank.

    Parameters
    ----------
    table : pandas.DataFrame of shape (n_users, n_items)
        As returned by `crosstab`.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None creates a figure large enough for the table.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the table is empty or holds values other than numbers.

    See Also
    --------
    crosstab : Computes the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.crosstab import plot_crosstab
    >>> ax = plot_crosstab(pd.DataFrame({"Toy Story": [4, None], "Jumanji": [2, 5]}, index=[17, 23]))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['Toy Story', 'Jumanji']
    """
    if not isinstance(table, pd.DataFrame) or table.empty:
        raise ValueError("table must be a frame with users in rows and items in columns, as returned by crosstab.")
    try:
        values = table.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"table must hold ratings as numbers: {error}.") from error
    n_users, n_items = table.shape
    ax = make_axes(ax, (2.4 + 0.52 * n_items, 2.4 + 0.4 * n_users))
    _draw_cells(ax, values)
    ax.set_xticks(np.arange(n_items), shorten_all(table.columns), fontsize=9)
    ax.set_yticks(np.arange(n_users), shorten_all(table.index), fontsize=9)
    ax.set_xlabel(shorten(table.columns.name or "item"), loc="left", color=_FAINT)
    ax.set_ylabel(shorten(table.index.name or "user"), loc="top", color=_FAINT)
    ax.tick_params(length=0, pad=4, top=False, bottom=False, labeltop=True, labelbottom=False)
    ax.xaxis.set_label_position("top")
    for label in ax.get_xticklabels():
        label.set(rotation=45, ha="left", rotation_mode="anchor")
    ax.spines[:].set_visible(False)
    return ax


def _most_frequent(ids: pd.Series, n: int) -> pd.Index:
    return ids.groupby(ids, sort=False).size().sort_values(ascending=False, kind="stable").index[:n]


def _draw_cells(ax: Any, values: np.ndarray) -> None:
    """Draw a tile for each rating with its value, dark on light or light on dark."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    # The darkest third of the colour map is nearly black, so it is not used.
    scale = Normalize(low, high + ((high - low) / 2 or 1.0))
    colors = colormaps["YlGnBu"].with_extremes(bad=_BLANK)
    n_users, n_items = values.shape
    edges = np.arange(n_items + 1) - 0.5, np.arange(n_users + 1) - 0.5
    ax.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=colors, norm=scale, edgecolor=paper(), linewidth=2)
    for row, column in np.argwhere(np.isfinite(values)):
        value = values[row, column]
        red, green, blue, _ = colors(scale(value))
        is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        ink = "white" if is_dark else _INK
        ax.text(column, row, f"{value:.3g}", ha="center", va="center", color=ink, fontsize=9)
    ax.set(xlim=(-0.5, n_items - 0.5), ylim=(n_users - 0.5, -0.5))
