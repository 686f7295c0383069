"""`interaction_strength`: measure interactions of pairs of columns in any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._parameters import SEED, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.effects._effect_data import EffectData, read_effect_data
from tabrec.interpret.effects._grids import Grid, make_grid
from tabrec.interpret.effects.dependence import predict_at_points
from tabrec.interpret.models import fitted_columns, with_numbers
from tabrec.plotting.axes import BLUE, GREY, finish, number_axis, row_axes, shorten_all
from tabrec.tables.columns import read_frame
from tabrec.tables.names import as_named
from tabrec.tables.rows import sample_rows, take_rows

_N_PARTS = 10  # number of parts of the rows, for the standard error
_MOST_COLUMNS = 40
_STRONG = 0.1  # smallest share of the joint effect of a strong interaction
_NEGLIGIBLE = 0.02  # smallest share of the standard deviation of the predictions
_CLEAR = 2  # standard errors


@dataclass(frozen=True, repr=False)
class InteractionStrength(Result):
    """Interactions of pairs of columns in the partial dependence of a model.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each pair, the strongest interaction first: ``column``, ``other``; ``strength``, the standard
        deviation over the rows of the part of their joint effect that is not a sum of two effects, in units of the
        prediction; its ``std_error`` over the rows, NaN for fewer than 10; ``share``, the strength divided by the
        standard deviation of the joint effect (0 for effects that add up, 1 for an interaction alone); and
        ``is_strong``, whether the strength is above 0 by 2 standard errors, at least 10% of the joint effect, and at
        least 2% of the standard deviation of the predictions.
    n_rows : int
        Number of rows averaged over.
    outputs : list
        Classes of a classifier; names of the outputs of a regressor. Of several, the strength is the root of the mean
        square.
    findings : list of Finding
        One for each strong interaction.

    See Also
    --------
    interaction_strength : Makes it.
    """

    table: pd.DataFrame
    n_rows: int
    outputs: list
    _unit: str

    @property
    def findings(self) -> list[Finding]:
        """One for each strong interaction."""
        strong = self.table[self.table["is_strong"]]
        return [self._describe(row) for _, row in strong.iterrows()]

    def _describe(self, row: pd.Series) -> Finding:
        column, other = row["column"], row["other"]
        text = f"The effect of {column} depends on {other}."
        evidence = (
            f"The part of their joint effect that is not a sum of two effects has a standard deviation of "
            f"{row['strength']:.2g} ± {row['std_error']:.1g} (standard error), {row['share']:.0%} of that of the joint "
            f"effect, over {self.n_rows:,} rows."
        )
        action = "Read the effects of both columns together."
        return Finding("interaction", 3, (column, other), text, evidence, action)

    def plot(self, ax: Any = None, n: int = 12) -> Any:
        """Draw the strongest interactions with two standard errors, strong ones in blue.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        n : int, default=12
            Number of pairs to draw.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        table = self.table.head(n)
        names = list(dict.fromkeys([*self.table["column"], *self.table["other"]]))
        short = dict(zip(names, shorten_all(names, 20), strict=True))
        labels = [f"{short[row.column]} × {short[row.other]}" for row in table.itertuples()]
        ax = row_axes(ax, [], (7.0, 1.3 + 0.28 * len(table), 0))
        ax.set_yticks(range(len(labels)), labels, fontsize=8)
        ax.set_ylim(len(labels) - 0.4, -0.6)
        colours, error = np.where(table["is_strong"], BLUE, GREY), _CLEAR * table["std_error"].fillna(0)
        ax.barh(range(len(table)), table["strength"], xerr=error, color=colours, height=0.7, error_kw={"lw": 1})
        ax.set_axisbelow(True)
        number_axis(ax.xaxis)
        hidden = len(self.table) - len(table)
        more = f"\n{hidden:,} more pairs are not shown" if hidden else ""
        ax.set_xlabel(
            f"interaction (standard deviation, ± {_CLEAR} standard errors)\nin units of the {self._unit}{more}"
        )
        return finish(ax)


@check_parameters(grid_size=[at_least(2)], max_rows=[at_least(1), None], random_state=SEED)
def interaction_strength(
    model: Any,
    X: Any,
    columns: Sequence[Any],
    *,
    grid_size: int = 8,
    output: Any = None,
    max_rows: int | None = 200,
    random_state: int = 0,
    sample_weight: Any = None,
) -> InteractionStrength:
    """Measure how strongly pairs of columns interact in the predictions of any model.

    Two columns do not interact if their joint partial dependence is the sum of one effect of each. The sum that is
    nearest to it, over the pairs of values that rows hold, is taken from it; the strength is what is left.

    Parameters
    ----------
    model : estimator
        Any fitted regressor or classifier.
    X : table or array-like of shape (n_rows, n_features)
        Rows to average over, as the model takes them.
    columns : sequence of str, or of pairs of str
        Columns of which all pairs are measured, or the pairs.
    grid_size : int, default=8
        Number of values of each column: quantiles of a number or date and a missing value, or the most frequent labels.
        Rows with other labels are left out.
    output : label, default=None
        The class or output to look at, as in `partial_dependence`.
    max_rows : int, default=200
        Number of rows to sample if X has more; None uses all rows.
    random_state : int, default=0
        Seed of the sample.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows; None weights all rows equally.

    Returns
    -------
    InteractionStrength

    Raises
    ------
    ValueError
        Fewer than two columns, more than 40, or a column or class that the model does not have.

    See Also
    --------
    shap_interactions : Interactions in single predictions, exact for forests and trees.
    partial_dependence : The joint effect of two columns; its plot draws lines with ``as_lines=True``.

    Notes
    -----
    Standard errors come from leaving out each of ten parts of the rows (jackknife). Of two columns that determine each
    other, every joint effect is a sum: their interaction is 0.

    References
    ----------
    Friedman & Popescu, "Predictive learning via rule ensembles", Annals of Applied Statistics 2(3), 2008, section 8.1,
    whose H statistic is close to ``share``: it takes away the two partial dependences instead of the nearest sum.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from tabrec import ForestRegressor
    >>> from tabrec.interpret import interaction_strength
    >>> X = pd.DataFrame(np.random.default_rng(0).uniform(-1, 1, (300, 3)), columns=["a", "b", "c"])
    >>> forest = ForestRegressor(20, random_state=0).fit(X, X["a"] * X["b"] + X["c"])
    >>> found = interaction_strength(forest, X, ["a", "b", "c"])
    >>> found.table[["column", "other"]].iloc[0].tolist()
    ['a', 'b']
    """
    X = as_named(model, X)
    pairs = _read_pairs(columns)
    rows = sample_rows(len(read_frame(X)), max_rows, np.random.default_rng(random_state))
    weights = None if sample_weight is None else np.asarray(sample_weight)[rows]
    _check_columns(model, X, pairs)
    X, found, data = take_rows(X, rows), [], None
    for pair in pairs:
        data = read_effect_data(model, X, pair, "interaction_strength", output, None, random_state, weights)
        found.append(_measure(data, grid_size))
    assert data is not None
    table = pd.DataFrame(pairs, columns=["column", "other"])
    table[["strength", "std_error", "share"]] = found
    spread = float(np.sqrt(np.square(np.std(data.predict(data.frame), axis=0)).mean()))
    matters = (table["share"] >= _STRONG) & (table["strength"] >= _NEGLIGIBLE * spread)
    table["is_strong"] = matters & (table["strength"] > _CLEAR * table["std_error"])
    table = table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)
    return InteractionStrength(table, len(data.frame), data.outputs, data.unit)


def _read_pairs(columns: Sequence[Any]) -> list[tuple[str, str]]:
    given = [columns] if isinstance(columns, str) else list(columns)
    pairs = [tuple(each) for each in given if not isinstance(each, str)]
    if not pairs and 2 <= len(set(given)) <= _MOST_COLUMNS:
        return list(combinations(dict.fromkeys(given), 2))
    if not pairs or len(pairs) < len(given) or any(len(set(pair)) != 2 or len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"columns={columns!r} must hold from 2 to {_MOST_COLUMNS} names of columns, or pairs of two names."
        )
    return list(dict.fromkeys(pairs))


def _check_columns(model: Any, X: Any, pairs: list[tuple[str, str]]) -> None:
    """Raise an error for unknown columns before any work."""
    fitted = fitted_columns(model, with_numbers(model, read_frame(X)))
    for name in dict.fromkeys(name for pair in pairs for name in pair):
        if name not in fitted:
            raise ValueError(f"columns names {name!r}: pass columns that the model was fitted on, {fitted[:40]}.")


def _measure(data: EffectData, grid_size: int) -> tuple[float, float, float]:
    """Return the strength, its standard error and its share of the joint effect."""
    options: Any = {"most_labels": grid_size, "keep_gap": True}
    grids = [make_grid(column, grid_size, (0.05, 0.95), None, **options) for column in data.columns]
    predicted = predict_at_points(data, grids)  # (n_rows, n_points, n_outputs)
    n_rows = len(predicted)
    weights = np.ones(n_rows) if data.weights is None else data.weights
    strength, joint = _strength(grids, predicted, weights)
    if n_rows < _N_PARTS:
        return strength, np.nan, _share(strength, joint)
    part = np.arange(n_rows) % _N_PARTS
    left = [_strength(grids, predicted, weights * (part != each))[0] for each in range(_N_PARTS)]
    error = float(np.sqrt((_N_PARTS - 1) * np.var(left)))
    return strength, error, _share(strength, joint)


def _share(strength: float, joint: float) -> float:
    return strength / joint if joint > 0 else 0.0


def _strength(grids: list[Grid], predicted: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return the standard deviations over rows of the interaction and of the joint effect of two columns."""
    first, second = grids
    held = (first.cells >= 0) & (second.cells >= 0) & (weights > 0)
    if not held.any():
        return 0.0, 0.0
    surface = np.average(predicted, axis=0, weights=weights)
    cells = first.cells[held] * len(second.values) + second.cells[held]
    counts = np.bincount(cells, weights[held], minlength=len(surface))
    known = np.flatnonzero(counts)
    shares, effect = counts[known] / counts.sum(), surface[known]
    effect = effect - shares @ effect
    # The sum of two effects that fits best by weighted least squares.
    design = np.zeros((len(known), len(first.values) + len(second.values)))
    design[np.arange(len(known)), known // len(second.values)] = 1
    design[np.arange(len(known)), len(first.values) + known % len(second.values)] = 1
    root = np.sqrt(shares)[:, None]
    nearest = np.linalg.lstsq(design * root, effect * root, rcond=None)[0]
    rest = effect - design @ nearest
    variances = [float((shares @ np.square(each)).mean()) for each in (rest, effect)]
    joint = np.sqrt(variances[1])
    strength = np.sqrt(variances[0])
    return (float(strength) if strength > 1e-9 * joint else 0.0), float(joint)
