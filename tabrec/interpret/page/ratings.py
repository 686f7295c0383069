"""Sections on recommenders: scores, ratings, item biases, a map of items, and one recommendation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.interpret.attribution.waterfall_chart import waterfall
from tabrec.interpret.page.blocks import Section
from tabrec.plotting.axes import BLUE, ORANGE, finish, make_axes, number_axis

_N_ITEMS = 8
_FEW = 5
_METRICS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "rmse_per_user": "RMSE, mean over users",
    "rmse_cold": "RMSE, new ids",
    "precision": "precision@10",
    "recall": "recall@10",
    "ndcg": "NDCG@10",
    "coverage": "coverage",
}


@dataclass(frozen=True)
class RatingData:
    """A fitted recommender, and the scores that `tabrec.collab.evaluate` returned, if any."""

    model: Any
    scores: pd.DataFrame | None


def add_rating_scores(section: Section, data: RatingData) -> None:
    """Show errors and ranking scores, compared with biases and the most popular items."""
    scores = data.scores
    if scores is None:
        section.add_note("There are no held-out ratings: pass X_valid and y_valid, or scores.")
        return
    shown = scores[[name for name in _METRICS if name in scores]].rename(columns=_METRICS)
    formats = dict.fromkeys(map(str, shown.columns), "{:.4f}")
    section.add_table(shown.rename_axis("model").reset_index(), "Scores on held-out ratings.", formats)
    section.add_findings([*_compare_with_biases(scores), *_compare_with_popular(scores)])


def summarise_ratings(data: RatingData) -> str:
    """Summarise the error and the ranking score, compared with the baselines; empty without held-out ratings."""
    scores = data.scores
    if scores is None:
        return ""
    told = []
    for name, baseline in (("rmse", "biases only"), ("ndcg", "most popular")):
        if name in scores and np.isfinite(scores[name].iloc[0]):
            beside = f" ({baseline} {scores[name][baseline]:.3f})" if baseline in scores.index else ""
            told.append(f"{_METRICS[name]} {scores[name].iloc[0]:.3f}{beside}")
    return f"{', '.join(told)} on held-out ratings." if told else ""


def _compare_with_biases(scores: pd.DataFrame) -> list[Finding]:
    of_model, of_biases = scores["rmse"].iloc[0], scores["rmse"].get("biases only", np.nan)
    if not of_model >= of_biases:
        return []
    text = "The model predicts ratings no better than biases alone."
    evidence = f"RMSE {of_model:.4f}, biases {of_biases:.4f}."
    action = "Use the biases alone, more ratings, or another model."
    return [Finding("no better than biases", 1, (), text, evidence, action)]


def _compare_with_popular(scores: pd.DataFrame) -> list[Finding]:
    if "ndcg" not in scores or "most popular" not in scores.index:
        return []
    of_model, of_popular = scores["ndcg"].iloc[0], scores["ndcg"]["most popular"]
    if not of_model < of_popular:
        return []
    text = "Recommending the most popular items to every user ranks the held-out items better."
    evidence = f"NDCG@10 {of_model:.4f}, most popular {of_popular:.4f}."
    action = "Rating models predict how much an item is liked, not which is chosen: combine scores with popularity."
    return [Finding("popular items rank better", 2, (), text, evidence, action)]


def add_ratings(section: Section, data: RatingData) -> None:
    """Show the number of ratings, and their distribution over values and items."""
    model = data.model
    ratings = model.ratings_
    n_users, n_items = len(model.users_), len(model.items_)
    section.add_text(
        f"{len(ratings):,} ratings of {n_items:,} {model.item_name_}s by {n_users:,} {model.user_name_}s: "
        f"{len(ratings) / (n_users * n_items):.2%} of all pairs, {model.mean_rating_:.2f} on average."
    )
    section.add_figure(_plot_values(ratings["rating"].to_numpy()), "Number of ratings by value.")
    per_item = np.sort(model.item_counts_.to_numpy())[::-1]
    caption = "Cumulative share of the ratings, items with most ratings first."
    section.add_figure(plot_concentration(per_item, "ratings"), caption)
    section.add_findings(find_few(per_item, model.user_counts_.to_numpy(), "ratings"))


def find_few(per_item: np.ndarray, per_user: np.ndarray, rows: str) -> list[Finding]:
    """Return a finding if many items or users have few ratings or interactions."""
    few_items, few_users = int((per_item < _FEW).sum()), int((per_user < _FEW).sum())
    if not few_items and not few_users:
        return []
    text = (
        f"{few_items:,} of {len(per_item):,} items and {few_users:,} of {len(per_user):,} users have fewer than {_FEW} "
        f"{rows}."
    )
    evidence = f"Median: {np.median(per_item):.0f} {rows} per item, {np.median(per_user):.0f} per user."
    basis = "biases" if rows == "ratings" else "popularity"
    action = f"Their predictions rest on {basis}; side tables (user_features, item_features) add information."
    return [Finding("ids with few ratings", 3, (), text, evidence, action)]


def _plot_values(values: np.ndarray) -> Any:
    ax = make_axes(None, (6.4, 2.6))
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) > 20:
        ax.hist(values, bins=20, color=BLUE)
    else:
        ax.bar([f"{value:g}" for value in distinct], counts, color=BLUE, width=0.7)
    ax.set(xlabel="rating", ylabel="ratings")
    number_axis(ax.yaxis, whole=True)
    return finish(ax)


def plot_concentration(counts: np.ndarray, rows: str) -> Any:
    """Draw the cumulative share of rows by items, sorted by descending number of rows."""
    ax = make_axes(None, (6.4, 2.8))
    ax.plot(np.arange(1, len(counts) + 1) / len(counts), counts.cumsum() / counts.sum(), color=ORANGE, linewidth=1.8)
    ax.set(xlabel="share of the items", ylabel=f"share of the {rows}", xlim=(0, 1), ylim=(0, 1.02))
    return finish(ax)


def add_item_biases(section: Section, data: RatingData) -> None:
    """List the items with the highest and the lowest bias."""
    model = data.model
    counts = model.item_counts_.to_numpy()
    table = pd.DataFrame({"item": model.items_.astype(str), "bias": model.item_bias_.to_numpy(), "ratings": counts})
    table = table.sort_values("bias", ascending=False, kind="stable")
    formats = {"bias": "{:+.2f}", "ratings": "{:,}"}
    section.add_table(table.head(_N_ITEMS), "Highest biases.", formats)
    section.add_table(table.tail(_N_ITEMS)[::-1], "Lowest biases.", formats)


def add_item_map(section: Section, data: RatingData) -> None:
    """Draw the items by the first two principal components of their factors."""
    if len(data.model.items_) < 2:
        section.add_note("There is only one item.")
        return
    section.add_text("Items liked by the same users are close to each other.")
    axes = data.model.plot_items(20, ax=make_axes(None, (4.9, 5.4)))
    section.add_figure(axes, "First two principal components of the item vectors.")


def add_recommendation(section: Section, data: RatingData) -> None:
    """Show the recommendations for a typical user, and explain the first."""
    model = data.model
    counts = model.user_counts_
    user = counts.sort_values(kind="stable").index[len(counts) // 2]
    top = model.recommend([user], 5)
    if not len(top):
        section.add_note(f"{model.user_name_} {user} has rated every item.")
        return
    best = top["item"].iloc[0]
    reasons = model.explain(user, best)
    section.add_text(f"{model.user_name_} {user} has given {counts[user]:,} ratings, the median number.")
    section.add_table(
        top[["rank", "item", "score"]].astype({"item": str}).rename(columns={"score": "predicted"}),
        f"Recommendations for {model.user_name_} {user}, by relevance, of which the predicted rating is one part.",
        {"rank": "{}", "predicted": "{:.2f}"},
    )
    parts = reasons.parts.drop("mean")
    axes = waterfall(parts[parts != 0], base=float(reasons.parts["mean"]))
    section.add_figure(axes, f"Terms of the predicted rating of {best}, {reasons.prediction:.2f}.")
    if len(reasons.ratings):
        section.add_table(
            reasons.ratings.astype({"item": str}),
            "Ratings of the same user that support it.",
            {"rating": "{:g}", "contribution": "{:+.3f}"},
        )
