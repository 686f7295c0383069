"""`RecommenderComparison`: the result of `compare_recommenders`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tabrec.plotting.axes import BLUE, GREY, finish, row_axes

_LEVEL = 0.05
_SHOWN = ["ndcg", "ndcg_se", "precision", "recall", "map", "coverage", "novelty", "fit_seconds"]
_Z = 1.96  # half-width of a 95 % interval in standard errors


@dataclass(frozen=True, eq=False)
class RecommenderComparison:
    """A leaderboard of recommenders, with the metrics of each user behind it.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each model, the highest NDCG first. Means over the users who have training rows: `ndcg` and its
        standard error `ndcg_se`, `precision`, `recall`, `map` and `map_by_relevant` (see `map_at_k`), `mrr`,
        `hit_rate`. Of the lists: `coverage`, `gini`, `novelty`, `popularity_bias`, `diversity` (see
        `intra_list_diversity`), `serendipity` (beyond the list of `Popular`). `ndcg_cold_users` is the NDCG of users
        without training rows, `ndcg_cold_items` that among items without training rows, for models with
        `item_features`. `fit_seconds` and `recommend_seconds`.
    by_user : pandas.DataFrame
        The metrics of each user with training rows: ``by_user["ndcg"]`` has a row for each user and a column for each
        model.
    split : str
        The interactions that were held out.
    n_rows : dict of str to int
        Numbers of the rows to fit to ("train") and of those held out ("test").
    k : int
        Number of recommendations for each user.
    notes : list of str
        The columns, the numbers of rows and the rows left out.

    See Also
    --------
    compare_recommenders : Makes a comparison.

    Examples
    --------
    >>> from tabrec import ItemKNN
    >>> from tabrec.collab import compare_recommenders
    >>> from tabrec.datasets import make_interactions
    >>> clicks = make_interactions(2_000, random_state=0)[["user", "item"]]
    >>> compare_recommenders([ItemKNN()], clicks).test_differences().index.tolist()
    ['Popular']
    """

    table: pd.DataFrame
    by_user: pd.DataFrame
    split: str
    n_rows: dict[str, int]
    k: int
    notes: list[str]

    @property
    def standard_errors(self) -> pd.DataFrame:
        """Standard errors over users of the metrics in `by_user`: a row for each model."""
        errors = self.by_user.std(ddof=1) / np.sqrt(len(self.by_user))
        return errors.unstack(level=0).loc[self.table.index]

    def test_differences(self, metric: str = "ndcg", baseline: str | None = None) -> pd.DataFrame:
        """Test whether models differ from one of them, by paired t-tests over users.

        Parameters
        ----------
        metric : str, default="ndcg"
            A metric of `by_user`.
        baseline : str, default=None
            Name of the model that the others are compared with; None is the one with the highest mean.

        Returns
        -------
        pandas.DataFrame
            A row for each other model: `difference` (its mean minus that of the baseline), `se` (the standard error of
            the difference over users), `p_value` (two-sided, adjusted by the method of Holm for the number of models)
            and `share_better` (the share of the users for whom it is better than the baseline). Users are taken as
            independent of each other.

        Raises
        ------
        ValueError
            The metric or the model is unknown.

        References
        ----------
        M. D. Smucker, J. Allan and B. Carterette, "A comparison of statistical significance tests for information
        retrieval evaluation", CIKM 2007.
        """
        known = list(dict.fromkeys(self.by_user.columns.get_level_values(0)))
        if metric not in known:
            raise ValueError(f"metric={metric!r} must be one of {known}.")
        values = pd.DataFrame(self.by_user[metric])
        if baseline is None:
            baseline = str(values.mean().idxmax())
        if baseline not in values.columns:
            raise ValueError(f"baseline={baseline!r} must be one of the models {values.columns.tolist()}.")
        gaps = values.drop(columns=baseline).sub(values[baseline], axis=0)
        mean, error = gaps.mean(), gaps.std(ddof=1) / np.sqrt(len(gaps))
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * stats.t.sf(np.abs(mean / error), max(len(gaps) - 1, 1))
        p = np.where(error > 0, p, np.where(mean == 0, 1.0, np.nan))
        return pd.DataFrame(
            {"difference": mean, "se": error, "p_value": _holm(p), "share_better": (gaps > 0).mean()}
        ).sort_values("difference", ascending=False)

    def plot(self, metric: str = "ndcg", *, ax: Any = None) -> Any:
        """Draw the mean of a metric for each model, with 95 % intervals over users.

        Parameters
        ----------
        metric : str, default="ndcg"
            A metric of `by_user`.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        means, errors = self.table[metric], self.standard_errors[metric]
        ax = row_axes(ax, means.index, (6.4, 1.2, 0.32))
        rows = np.arange(len(means))
        popular = float(means["Popular"]) if "Popular" in means.index else None
        if popular is not None:
            ax.axvline(popular, color=GREY, linewidth=1, linestyle="--")
        ax.errorbar(means.to_numpy(), rows, xerr=_Z * errors.to_numpy(), fmt="o", color=BLUE, elinewidth=1.4, capsize=3)
        ax.set_xlabel(f"{metric} of the first {self.k}, mean and 95 % interval over {len(self.by_user):,} users")
        return finish(ax)

    def summarise(self) -> str:
        """Say in words which model is best, which ones are not clearly different, and which lose to `Popular`."""
        best = str(self.table.index[0])
        row = self.table.loc[best]
        text = f"{best} has the highest NDCG@{self.k}: {row['ndcg']:.4f} ± {row['ndcg_se']:.4f} (standard error)."
        against = self.test_differences(baseline=best)
        close = [str(name) for name, p in against["p_value"].items() if not p < _LEVEL]
        if close:
            text += f" Not clearly different (adjusted p of {_LEVEL} or more): {', '.join(close)}."
        if "Popular" in self.table.index:
            of_popular = self.test_differences(baseline="Popular")
            worse = of_popular.index[(of_popular["difference"] < 0) & (of_popular["p_value"] < _LEVEL)]
            if len(worse):
                text += f" Clearly worse than the most popular items: {', '.join(map(str, worse))}."
            elif best == "Popular":
                text += " No model is better than the most popular items."
        return text

    def __str__(self) -> str:
        shown = self.table[_SHOWN].to_string(float_format=lambda value: f"{value:.4f}")
        return "\n".join([*self.notes, "", shown, "", self.summarise()])


def _holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values by the step-down method of Holm (1979)."""
    order = np.argsort(p_values)
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
