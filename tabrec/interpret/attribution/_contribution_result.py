"""`Contributions`: contributions to the predictions of several rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions

from tabrec.interpret._parameters import at_least, check_parameters
from tabrec.interpret._result import Result
from tabrec.interpret._weights import weight_of_rows
from tabrec.interpret.attribution._contribution_plots import draw_beeswarm, draw_dependence
from tabrec.interpret.attribution._row_contributions import RowContributions
from tabrec.interpret.attribution._shown_values import to_text
from tabrec.interpret.attribution.cohorts import Cohorts, average_by_cohort, read_cohorts
from tabrec.plotting.axes import BLUE, finish, make_axes, shorten, shorten_all


@dataclass(frozen=True, repr=False)
class Contributions(Result):
    """Contribution of each column to the prediction of each row: ``prediction = bias + contributions.sum(axis=1)``.

    Attributes
    ----------
    prediction, bias : ndarray of shape (n_rows,), or (n_rows, n_outputs) with several outputs or classes
        Probabilities for a classifier.
    contributions : ndarray of shape (n_rows, n_columns), or (n_rows, n_columns, n_outputs)
        The contribution of each column to the prediction.
    columns : list of str
        The columns that contribute: encoded columns of forests, raw columns of other models.
    sources : dict of str to str
        The raw column that each of `columns` comes from; its own name where that is not known.
    values : pandas.DataFrame of shape (n_rows, n_columns)
        Values of the columns as they were passed: labels for categories, dates for seconds, numbers.
    outputs : list or None
        Classes, or numbers of outputs; for several outputs of a classifier pairs (output, class). None where a
        regressor has one output.
    is_classifier : bool
        Whether predictions are probabilities.
    raw : pandas.DataFrame
        The rows as they were passed.
    method : {"path", "shap", "occlusion", "integrated_gradients"}
        How the contributions were computed.
    standard_error : ndarray like `contributions`, or None
        For occlusion and integrated gradients: standard error of the contributions over the background rows; NaN with
        one background row. None if contributions are exact.
    residual : ndarray like `prediction`, or None
        For integrated gradients: error of the numerical integral, which was distributed over the columns in proportion
        to the size of their contributions.
    joint : list of dict, or None
        With ``joint=True``, for each row from tuples of columns to the contribution of those columns together, a float
        or an ndarray of shape (n_outputs,).
    table : pandas.DataFrame
        Columns ``row``, ``output`` (if there are several), ``column``, ``value`` and ``contribution``; built on first
        access, as it has one row per contribution.
    joint_table : pandas.DataFrame or None
        Columns ``row``, ``output`` (if there are several), ``columns`` and ``contribution``.

    See Also
    --------
    contributions : Contributions to the predictions of any model.
    shap_values : Exact Shapley values of forests and trees.
    """

    prediction: np.ndarray
    bias: np.ndarray
    contributions: np.ndarray
    columns: list[str]
    sources: dict[str, str]
    values: pd.DataFrame
    outputs: list | None
    is_classifier: bool
    raw: pd.DataFrame
    method: str
    standard_error: np.ndarray | None = None
    residual: np.ndarray | None = None
    joint: list[dict] | None = None

    def __len__(self) -> int:
        return len(self.prediction)

    @cached_property
    def table(self) -> pd.DataFrame:  # type: ignore[override]
        """One row per row, output and column: `row`, `output` (if several), `column`, `value`, `contribution`."""
        n_columns, n_outputs = len(self.columns), len(self._names)
        cells = np.moveaxis(self._by_output(self.contributions), 2, 1)  # (n_rows, n_outputs, n_columns)
        values = self.values.to_numpy(dtype=object)
        table = pd.DataFrame({"row": np.repeat(self.values.index, n_columns * n_outputs)})
        if self.outputs is not None:
            table["output"] = np.tile(np.repeat(_objects(self.outputs), n_columns), len(self))
        positions = np.tile(np.arange(n_columns), len(self) * n_outputs)
        table["column"] = pd.Categorical.from_codes(positions, categories=pd.Index(self.columns))
        table["value"] = np.repeat(values, n_outputs, axis=0).ravel()
        return table.assign(contribution=cells.ravel())

    @cached_property
    def joint_table(self) -> pd.DataFrame | None:
        """One row per row, output and set of columns that contribute jointly; None without ``joint=True``."""
        if self.joint is None:
            return None
        found = [
            (row, name, columns, gain)
            for row, by_set in zip(self.values.index, self.joint, strict=True)
            for columns, gains in by_set.items()
            for name, gain in zip(self._names, np.atleast_1d(gains).tolist(), strict=True)
        ]
        table = pd.DataFrame(found, columns=["row", "output", "columns", "contribution"])
        return table.drop(columns="output") if self.outputs is None else table

    def row(self, i: int, output: Any = None) -> RowContributions:
        """Return the contributions of one row, for one output.

        Parameters
        ----------
        i : int
            Position of the row, from 0; negative positions count from the end.
        output : object, default=None
            One of `outputs`. None takes the second of two classes, the most probable of more than two, or the first
            of several targets.

        Returns
        -------
        RowContributions
        """
        if not -len(self) <= i < len(self):
            raise ValueError(f"row {i} is not among the {len(self)} rows, which count from 0.")
        prediction = self._by_output(self.prediction)[i]
        at = self._usual_position(prediction) if output is None else self._position(output)
        return RowContributions(
            prediction=float(prediction[at]),
            base=float(self._by_output(self.bias)[i, at]),
            columns=self.columns,
            values=[to_text(self.values.iloc[i, position]) for position in range(len(self.columns))],
            contributions=self._by_output(self.contributions)[i, :, at],
            output=self._names[at],
            is_probability=self.is_classifier,
        )

    def compare(self, i: int, reference: Any, output: Any = None) -> RowContributions:
        """Explain how the prediction of one row differs from that of another row, or from the mean of several rows.

        The contribution of each column to the difference is its contribution to the row minus its mean contribution to
        the reference rows. It may be non-zero even if the values of the column are equal, because the effect of a
        column may depend on others.

        Parameters
        ----------
        i : int
            Position of the row, from 0; negative positions count from the end.
        reference : int or array-like of int or bool
            The position of a row, the positions of several, or for each row whether it belongs to the reference.
        output : object, default=None
            One of `outputs`, as in `row`.

        Returns
        -------
        RowContributions
            Its base is the mean prediction of the reference rows.

        See Also
        --------
        Contributions.row : The contributions to one prediction, from the base of all rows.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from tabrec.interpret import contributions
        >>> X = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "age": [5.0, 3.0, 8.0, 1.0]})
        >>> model = LinearRegression().fit(X, 10 * X["size"] - X["age"])
        >>> why = contributions(model, X, background=X).compare(3, 0)  # why 39 and not 5?
        >>> why.contributions.round(6).tolist(), why.values
        ([30.0, 4.0], ['4 (not 1)', '1 (not 5)'])
        """
        one = self.row(i, output)
        rows = self._read_reference(reference)
        at = self._position(one.output)
        means = self._by_output(self.contributions)[rows, :, at].mean(axis=0)
        values, name = one.values, f"mean of {len(rows):,} rows"
        if len(rows) == 1:
            others = self.row(int(rows[0]), one.output).values
            pairs = zip(values, others, strict=True)
            values = [value if value == other else f"{value} (not {other})" for value, other in pairs]
            name = f"row {self.values.index[rows[0]]}"
        base = float(self._by_output(self.prediction)[rows, at].mean())
        return replace(one, base=base, contributions=one.contributions - means, values=values, base_name=name)

    def by_cohort(self, by: Any, output: Any = None) -> Cohorts:
        """Mean contributions of groups of rows: of the labels of a column, or of groups that differ most.

        Parameters
        ----------
        by : str, int, or array-like of shape (n_rows,)
            A column of the rows, whose seven most frequent labels, or quarters of numbers and dates, are the cohorts; a
            cohort for each row; or a number of cohorts, which are then the leaves of a small tree that predicts the
            contributions from the values.
        output : object, default=None
            One of `outputs`; None takes the second of two classes.

        Returns
        -------
        Cohorts

        See Also
        --------
        Contributions.compare : Why one row differs from a group of rows.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from tabrec.interpret import contributions
        >>> X = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "age": [5.0, 3.0, 8.0, 1.0]})
        >>> model = LinearRegression().fit(X, 10 * X["size"] - X["age"])
        >>> found = contributions(model, X, background=X).by_cohort(["new", "new", "old", "old"])
        >>> found.table.query("column == 'size'")[["cohort", "n", "contribution"]].round(6).values.tolist()
        [['new', 2, -10.0], ['old', 2, 10.0]]
        """
        at = self._drawn_position(output)
        cells = self._by_output(self.contributions)[:, :, at]
        cohorts = read_cohorts(by, self.raw, self.values, cells)
        prediction, base = (self._by_output(array)[:, at] for array in (self.prediction, self.bias))
        table = average_by_cohort(cells, prediction, self.columns, cohorts)
        return Cohorts(table, float(base.mean()), self._names[at], self._unit(at))

    def _read_reference(self, reference: Any) -> np.ndarray:
        rows = np.atleast_1d(np.asarray(reference))
        if rows.dtype == bool:
            if len(rows) != len(self):
                raise ValueError(f"reference has {len(rows)} flags, but there are {len(self)} rows: pass one for each.")
            rows = np.flatnonzero(rows)
        if not len(rows) or rows.dtype.kind not in "iu" or (rows < -len(self)).any() or (rows >= len(self)).any():
            raise ValueError(f"reference={reference!r} must name at least one of the {len(self)} rows by its position.")
        return rows % len(self)

    def by_source(self) -> Contributions:
        """Sum the contributions of encoded columns by raw column.

        Joint contributions, which are those of encoded columns, are left out if several encoded columns are summed.
        """
        sources = [self.sources[name] for name in self.columns]
        names = list(dict.fromkeys(sources))
        if names == self.columns:
            return self
        positions = [names.index(source) for source in sources]
        total = np.zeros((len(self), len(names), *self.contributions.shape[2:]))
        for column, position in enumerate(positions):
            total[:, position] += self.contributions[:, column]
        return replace(
            self,
            contributions=total,
            columns=names,
            sources={name: name for name in names},
            values=pd.DataFrame({name: self._value_of(name, sources) for name in names}, copy=False),
            joint=None,
        )

    def _value_of(self, source: str, sources: list[str]) -> pd.Series:
        """Return the values of a raw column, from the encoded column of the same name or else as passed."""
        if source in self.values:
            return self.values[source]
        return self.raw[source] if source in self.raw else self.values.iloc[:, sources.index(source)]

    def mean(self, output: Any = None, sample_weight: Any = None) -> pd.DataFrame:
        """Mean absolute contribution of each column over the rows.

        Parameters
        ----------
        output : object, default=None
            One of `outputs`; None takes the mean over all of them.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows; None weights all rows equally. A row of integer weight k counts as k rows.

        Returns
        -------
        pandas.DataFrame
            Columns ``column`` and ``mean_absolute``, in units of the prediction, the largest first.
        """
        cells = self._by_output(self.contributions)
        if output is not None:
            cells = cells[:, :, [self._position(output)]]
        weights = weight_of_rows(self.values, sample_weight)
        sizes = np.average(np.abs(cells).mean(axis=2), axis=0, weights=weights)
        table = pd.DataFrame({"column": self.columns, "mean_absolute": sizes})
        return table.sort_values("mean_absolute", ascending=False, kind="stable", ignore_index=True)

    @check_parameters(kind=[StrOptions({"bar", "beeswarm"})], n_largest=[at_least(1)])
    def plot(self, ax: Any = None, n_largest: int = 20, kind: str = "bar", output: Any = None) -> Any:
        """Draw the contributions of the columns with the largest ones.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        n_largest : int, default=20
            Number of columns to draw.
        kind : {"bar", "beeswarm"}, default="bar"
            "bar" draws the mean absolute contributions; "beeswarm" a dot for each row, at most 2,000 evenly spread
            ones, coloured by the rank of its value.
        output : object, default=None
            One of `outputs`; None takes for bars the mean over all of them, and for a beeswarm the second of two
            classes.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        if kind == "beeswarm":
            at = self._drawn_position(output)
            names = self.mean(self._names[at])["column"].head(n_largest).tolist()
            cells = self._by_output(self.contributions)[:, [self.columns.index(name) for name in names], at]
            return draw_beeswarm(ax, cells, self.values[names], self._unit(at))
        table = self.mean(output).head(n_largest)
        ax = make_axes(ax, (6.4, 1.2 + 0.28 * len(table)))
        positions = np.arange(len(table))
        ax.barh(positions, table["mean_absolute"], color=BLUE, height=0.7)
        ax.set_yticks(positions, shorten_all(table["column"]))
        ax.set_ylim(len(table) - 0.4, -0.6)
        rows = "1 row" if len(self) == 1 else f"{len(self):,} rows"
        unit = "in units of the prediction" if self.outputs is None else "mean over the outputs"
        if output is not None:
            unit = f"to {self._unit(self._position(output)).removeprefix('contribution to ')}"
        ax.set_xlabel(f"mean |contribution| over {rows}\n{unit}")
        return finish(ax)

    def plot_dependence(self, column: str, ax: Any = None, output: Any = None) -> Any:
        """Draw the contributions of a column against its values, a dot for each row.

        Dots of one value at different heights are rows in which the effect of the column depends on other columns.

        Parameters
        ----------
        column : str
            One of `columns`.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        output : object, default=None
            One of `outputs`; None takes the second of two classes.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        if column not in self.columns:
            raise ValueError(f"column={column!r} must be one of {self.columns[:20]}.")
        at = self._drawn_position(output)
        cells = self._by_output(self.contributions)[:, self.columns.index(column), at]
        return draw_dependence(ax, cells, self.values[column].rename(column), self._unit(at))

    def _drawn_position(self, output: Any) -> int:
        if output is None and len(self._names) > 2 - (not self.is_classifier):
            raise ValueError(f"output must be one of {self._names[:20]}: there are {len(self._names)}.")
        return self._usual_position(self._by_output(self.prediction)[0]) if output is None else self._position(output)

    def _unit(self, at: int) -> str:
        if self.outputs is None:
            return "contribution to the prediction"
        what = "predicted probability" if self.is_classifier else "prediction"
        return f"contribution to the {what} of {shorten(self._names[at], 20)}"

    def __repr__(self) -> str:
        return (
            f"Contributions to {len(self)} predictions (method {self.method!r})\n{self.mean().to_string(max_rows=20)}"
        )

    def _repr_html_(self) -> str:
        return self.mean().to_html(max_rows=20)

    @property
    def _names(self) -> list:
        return [None] if self.outputs is None else self.outputs

    def _by_output(self, array: np.ndarray) -> np.ndarray:
        return array[..., None] if self.outputs is None else array

    def _position(self, output: Any) -> int:
        if output not in self._names:
            raise ValueError(f"output={output!r} must be one of {self._names[:20]}.")
        return self._names.index(output)

    def _usual_position(self, prediction: np.ndarray) -> int:
        """Return the position of the output that is used by default."""
        if self.is_classifier and len(self._names) == 2:
            return 1
        return int(np.argmax(prediction)) if self.is_classifier else 0


def _objects(items: list) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array
