"""Sections on recommenders: scores, the ratings, what is liked, the map of items, reasons, training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.interpret.attribution.waterfall_chart import waterfall
from tabrec.interpret.page.blocks import Section
from tabrec.plotting.axes import BLUE, ORANGE, finish

_N_ITEMS = 8
_FEW = 5
_METRICS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "rmse_per_user": "RMSE, mean of users",
    "rmse_cold": "RMSE, new ids",
    "precision": "precision@10",
    "recall": "recall@10",
    "ndcg": "NDCG@10",
    "coverage": "coverage",
}


@dataclass(frozen=True)
class RatingSubject:
    """What a recommender's report is about: the model, and the table that `evaluate` gave, if any."""

    model: Any
    scores: pd.DataFrame | None


def show_rating_scores(section: Section, subject: RatingSubject) -> None:
    """Errors and recommendations beside biases and the most popular items."""
    scores = subject.scores
    if scores is None:
        section.note("No ratings were held out: give X_valid and y_valid, or scores.")
        return
    shown = scores[[name for name in _METRICS if name in scores]].rename(columns=_METRICS)
    section.show(
        shown.rename_axis("model").reset_index(),
        "On ratings held out.",
        dict.fromkeys(map(str, shown.columns), "{:.4f}"),
    )
    of_model, of_biases = scores["rmse"].iloc[0], scores["rmse"].get("biases only", np.nan)
    if of_model >= of_biases:
        section.find(
            [
                Finding(
                    "no better than biases",
                    1,
                    (),
                    "The model foretells ratings no better than biases alone do.",
                    f"RMSE {of_model:.4f}, biases {of_biases:.4f}.",
                    "Use biases, which cost nothing, or more ratings, or another model.",
                )
            ]
        )
    section.find(_find_popular(scores))


def _find_popular(scores: pd.DataFrame) -> list[Finding]:
    if "ndcg" not in scores or "most popular" not in scores.index:
        return []
    of_model, of_popular = scores["ndcg"].iloc[0], scores["ndcg"]["most popular"]
    if not of_model < of_popular:
        return []
    return [
        Finding(
            "popular items rank better",
            2,
            (),
            "To guess which items somebody will rate, recommending the most popular ones to everybody does better.",
            f"NDCG@10 {of_model:.4f}, most popular {of_popular:.4f}.",
            "Models of ratings say how much an item will be liked, not which is picked: mix popularity into lists.",
        )
    ]


def show_ratings(section: Section, subject: RatingSubject) -> None:
    """How many ratings there are, of what, and how they spread over items."""
    model = subject.model
    ratings = model._ratings
    n_users, n_items = len(model.users_), len(model.items_)
    section.say(
        f"{len(ratings):,} ratings of {n_items:,} {model.item_name_}s by {n_users:,} {model.user_name_}s: "
        f"{len(ratings) / (n_users * n_items):.2%} of all pairs, {ratings.mean():.2f} on average."
    )
    section.draw(partial(_plot_values, ratings.values), "How often each rating was given.", (6.4, 2.6))
    counts = np.sort(np.unique(ratings.items, return_counts=True)[1])[::-1]
    section.draw(partial(_plot_tail, counts), "Share of the ratings that the busiest items hold.", (6.4, 2.8))
    per_user = np.unique(ratings.users, return_counts=True)[1]
    few_items, few_users = int((counts < _FEW).sum()), int((per_user < _FEW).sum())
    if few_items or few_users:
        section.find(
            [
                Finding(
                    "little known ids",
                    3,
                    (),
                    f"{few_items:,} of {n_items:,} items and {few_users:,} of {n_users:,} users have fewer than {_FEW} "
                    "ratings.",
                    f"Median: {np.median(counts):.0f} ratings an item, {np.median(per_user):.0f} a user.",
                    "Their predictions lean on biases; side tables (user_features, item_features) tell more of them.",
                )
            ]
        )


def _plot_values(values: np.ndarray, ax: Any) -> Any:
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) > 20:
        ax.hist(values, bins=20, color=BLUE)
    else:
        ax.bar([f"{value:g}" for value in distinct], counts, color=BLUE, width=0.7)
    ax.set_xlabel("rating")
    ax.set_ylabel("ratings")
    return finish(ax)


def _plot_tail(counts: np.ndarray, ax: Any) -> Any:
    share = np.arange(1, len(counts) + 1) / len(counts)
    held = np.cumsum(counts) / counts.sum()
    ax.plot(share, held, color=ORANGE, linewidth=1.8)
    ax.set_xlabel("share of the items, the busiest first")
    ax.set_ylabel("share of the ratings")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    return finish(ax)


def show_liked(section: Section, subject: RatingSubject) -> None:
    """Items by their bias: liked, or not, beyond what their factors foretell."""
    model = subject.model
    counts = model._ratings.counts("item", model._items.n_codes)[model._items.known()]
    table = pd.DataFrame({"item": model.items_.astype(str), "bias": model.item_bias_.to_numpy(), "ratings": counts})
    table = table.sort_values("bias", ascending=False, kind="stable")
    formats = {"bias": "{:+.2f}", "ratings": "{:,}"}
    section.show(table.head(_N_ITEMS), "Most liked.", formats)
    section.show(table.tail(_N_ITEMS)[::-1], "Least liked.", formats)


def show_map(section: Section, subject: RatingSubject) -> None:
    """Items by what tells their raters apart."""
    model = subject.model
    if len(model.items_) < 2:
        section.note("There is only one item.")
        return
    section.say("Items that are liked by the same people lie together, whatever is called their genre.")
    section.draw(
        lambda ax: model.plot_items(30, ax=ax), "First two principal components of the items' vectors.", (8, 6)
    )


def show_recommendation(section: Section, subject: RatingSubject) -> None:
    """What a typical user is recommended, and why."""
    model = subject.model
    counts = pd.Series(model._ratings.counts("user", model._users.n_codes)[model._users.known()], index=model.users_)
    user = counts.sort_values(kind="stable").index[len(counts) // 2]
    top = model.recommend([user], 5)
    if not len(top):
        section.note(f"{model.user_name_} {user} has rated everything.")
        return
    best = top["item"].iloc[0]
    reasons = model.explain(user, best)
    section.say(f"{model.user_name_} {user} has given {counts[user]:,} ratings, as many as most have.")
    section.show(
        top[["rank", "item", "score"]].astype({"item": str}).rename(columns={"score": "predicted"}),
        f"Recommended to {model.user_name_} {user}.",
        {"rank": "{}", "predicted": "{:.2f}"},
    )
    parts = reasons.parts.drop("mean")
    axes = waterfall(parts[parts != 0], base=float(reasons.parts["mean"]))
    section.draw_as_it_is(axes, f"Why {best} is predicted to be rated {reasons.prediction:.2f}.")
    if len(reasons.ratings):
        section.show(
            reasons.ratings.astype({"item": str}),
            "Ratings of the same user that argue for it.",
            {"rating": "{:g}", "argues": "{:+.3f}"},
        )
