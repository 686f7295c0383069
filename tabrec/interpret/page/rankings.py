"""Sections on recommenders of interactions: scores compared with popularity, coverage and example recommendations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.ratings import RatingData, find_few, plot_concentration
from tabrec.plotting.axes import BLUE, GREY, ORANGE, finish, number_axis, row_axes

_METRICS = {
    "ndcg": "NDCG@10",
    "ndcg_se": "standard error",
    "precision": "precision@10",
    "recall": "recall@10",
    "map": "MAP@10",
    "coverage": "coverage",
    "novelty": "novelty, bits",
    "popularity_bias": "popularity bias",
    "diversity": "diversity",
    "serendipity": "serendipity",
}
_POPULAR = ("Popular", "most popular")  # names in the results of compare_recommenders and of evaluate
_Z = 1.96  # half-width of a 95 % interval in standard errors
_MOST_USERS = 1_000
_LONGEST = 20
_N_SHOWN = 5
_QUANTILES = {"few": 0.1, "a median number of": 0.5, "many": 0.9}


def add_ranking_scores(section: Section, data: RatingData) -> None:
    """Show NDCG with intervals over users, compared with popularity, and the other metrics."""
    scores = data.scores
    if scores is None or "ndcg" not in scores:
        section.add_note(
            "There are no scores: pass those of tabrec.collab.compare_recommenders (its table) or of evaluate, or X "
            "and X_valid."
        )
        return
    if "ndcg_se" in scores:
        section.add_figure(
            _plot_intervals(scores), "NDCG of the first ten on held-out rows, with 95 % intervals over users."
        )
    names = [name for name in _METRICS if name in scores and scores[name].notna().any()]
    shown = scores[names].rename(columns=_METRICS).T
    section.add_table(
        shown.rename_axis("metric").reset_index(),
        "Metrics of held-out rows; the first model is the one described on this page.",
        dict.fromkeys(map(str, shown.columns), "{:.4f}"),
    )
    section.add_text(
        "Means over users; coverage is the share of the items that anyone is recommended. Popularity bias compares the "
        "popularity of recommended items with that of the items that users took: above 1, popular items are favoured."
    )
    section.add_findings(_compare_with_popular(scores))


def _plot_intervals(scores: pd.DataFrame) -> Any:
    popular = next((name for name in _POPULAR if name in scores.index), None)
    ax = row_axes(None, scores.index, (6.4, 1.0, 0.34))
    rows = np.arange(len(scores))
    means, errors = scores["ndcg"].to_numpy(), _Z * scores["ndcg_se"].fillna(0).to_numpy()
    if popular is not None:
        ax.axvline(float(scores["ndcg"][popular]), color=GREY, linewidth=1, linestyle="--")
    colours = [GREY if name == popular else BLUE for name in scores.index]
    for row, mean, error, colour in zip(rows, means, errors, colours, strict=True):
        ax.errorbar(mean, row, xerr=error, fmt="o", color=colour, elinewidth=1.4, capsize=3)
    ax.set(xlabel="NDCG@10")
    ax.set_xlim(left=min(0.0, *(means - errors)))
    number_axis(ax.xaxis)
    return finish(ax)


def _compare_with_popular(scores: pd.DataFrame) -> list[Finding]:
    popular = next((name for name in _POPULAR if name in scores.index), None)
    if popular is None or scores.index[0] == popular:
        return []
    own, theirs = scores["ndcg"].iloc[0], scores["ndcg"][popular]
    gap = own - theirs
    errors = scores["ndcg_se"] if "ndcg_se" in scores else pd.Series(np.nan, scores.index)
    error = float(np.hypot(errors.iloc[0], errors[popular]))
    evidence = f"NDCG@10 {own:.4f} ± {errors.iloc[0]:.4f}, most popular {theirs:.4f} ± {errors[popular]:.4f}."
    action = "Compare other models (model all of `tabrec rank`, or compare_recommenders), or recommend popular items."
    if gap <= 0:
        text = "Recommending the most popular items to every user ranks the held-out items at least as well."
        return [Finding("popular items rank better", 1, (), text, evidence, action)]
    if gap < _Z * error:
        text = "The model is not clearly better than recommending the most popular items."
        evidence += " Standard errors over users."
        return [Finding("not clearly better than popularity", 2, (), text, evidence, action)]
    return []


def add_interactions(section: Section, data: RatingData) -> None:
    """Show the number of interactions, and their distribution over items."""
    model = data.model
    n_rows, n_users, n_items = len(model.ratings_), len(model.users_), len(model.items_)
    section.add_text(
        f"{n_rows:,} interactions of {n_users:,} {model.user_name_}s with {n_items:,} {model.item_name_}s: "
        f"{n_rows / (n_users * n_items):.2%} of all pairs."
    )
    per_item = np.sort(model.item_counts_.to_numpy())[::-1]
    section.add_figure(
        plot_concentration(per_item, "interactions"), "Cumulative share of the interactions, most popular items first."
    )
    section.add_findings(find_few(per_item, model.user_counts_.to_numpy(), "interactions"))


def add_coverage(section: Section, data: RatingData) -> None:
    """Draw the recommended share of the catalogue by list length, compared with the most popular items."""
    from tabrec.collab import Popular

    model = data.model
    users, items = model.users_, model.items_
    if len(users) > _MOST_USERS:
        users = users[np.sort(np.random.default_rng(0).choice(len(users), _MOST_USERS, replace=False))]
    popular = Popular(user="user", item="item").fit(model.ratings_[["user", "item"]])
    curves = {
        type(model).__name__: _count_covered(model.recommend(users, _LONGEST), len(items)),
        "most popular": _count_covered(popular.recommend(users, _LONGEST), len(items)),
    }
    ax = _plot_curves(curves)
    of_users = f"{len(users):,} of {len(model.users_):,}" if len(users) < len(model.users_) else f"all {len(users):,}"
    section.add_figure(
        ax, f"Share of the {len(items):,} items that at least one of {of_users} users is recommended, by list length."
    )


def _count_covered(recommended: pd.DataFrame, n_items: int) -> np.ndarray:
    """Return the share of the items that any user has among the first 1, 2, …: (longest,)."""
    first = recommended.groupby("item")["rank"].min()
    return np.array([(first <= length).sum() for length in range(1, _LONGEST + 1)]) / n_items


def _plot_curves(curves: dict[str, np.ndarray]) -> Any:
    from tabrec.plotting.axes import make_axes

    ax = make_axes(None, (6.4, 3.0))
    lengths = np.arange(1, _LONGEST + 1)
    for (name, curve), colour in zip(curves.items(), (BLUE, ORANGE), strict=False):
        ax.plot(lengths, curve, color=colour, linewidth=1.8)
        ax.annotate(
            name,
            (lengths[-1], curve[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8,
        )
    ax.set(xlabel="items recommended to each user", ylabel="share of the items", xlim=(1, _LONGEST), ylim=(0, None))
    number_axis(ax.xaxis, whole=True)
    return finish(ax)


def add_example_users(section: Section, data: RatingData) -> None:
    """Show the items of users with few and with many interactions, their recommendations, and the reasons."""
    model = data.model
    counts = model.user_counts_.sort_values(kind="stable")
    section.add_text("Reasons are the user's own items that add most to the score of the recommended one.")
    shown: set = set()
    for amount, quantile in _QUANTILES.items():
        user = counts.index[min(int(quantile * len(counts)), len(counts) - 1)]
        if user in shown:
            continue
        shown.add(user)
        table = _describe_user(model, user)
        if table is None:
            section.add_note(f"{model.user_name_} {user} has taken every item.")
            continue
        section.add_table(
            table,
            f"{model.user_name_} {user}, who has {amount} interactions ({counts[user]:,}): up to {_N_SHOWN} of the "
            "user's items, those that explain most first, beside the recommendations and their reasons.",
            {"rank": "{}", "score": "{:.3f}"},
        )


def _describe_user(model: Any, user: Any) -> pd.DataFrame | None:
    """Return a user's items, recommendations and their reasons; None if there is nothing to recommend."""
    top = model.recommend([user], _N_SHOWN)
    if not len(top):
        return None
    reasons = [_sum_by_item(model.explain(user, item, n=len(model.ratings_)).ratings) for item in top["item"]]
    total = _sum_by_item(pd.concat([found.reset_index() for found in reasons]))
    own = [str(item) for item in total.index[: len(top)]]
    because = [", ".join(map(str, found.index[found > 0][:2])) or None for found in reasons]
    return pd.DataFrame(
        {
            "has taken": own + [None] * (len(top) - len(own)),
            "rank": top["rank"].to_numpy(),
            "is recommended": top["item"].astype(str).to_numpy(),
            "score": top["score"].to_numpy(),
            "because of": because,
        }
    )


def _sum_by_item(reasons: pd.DataFrame) -> pd.Series:
    """Sum contributions by item, the largest first; an item may have several interactions."""
    return reasons.groupby("item", sort=False)["contribution"].sum().sort_values(ascending=False, kind="stable")
