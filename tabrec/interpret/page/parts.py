"""Which sections a page has, in order, under which titles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tabrec.interpret.page import columns, data, nets, ratings, rows, world
from tabrec.interpret.page.blocks import Section


@dataclass(frozen=True)
class Part:
    """A section to be: where it is found, its title, what fills it, and of which subjects it speaks."""

    anchor: str
    title: str
    fill: Callable[[Section, Any], None]
    suits: Callable[[Any], bool] = lambda subject: True


def _has(attribute: str) -> Callable[[Any], bool]:
    return lambda subject: hasattr(subject.model, attribute)


TRAINING = Part("training", "How training went", nets.show_training, _has("history_"))

OF_TABLES = [
    Part("scores", "How well it does", data.show_scores),
    TRAINING,
    Part("data", "The data", data.describe_data),
    Part("importance", "What it relies on", columns.show_importance),
    Part("redundancy", "What says the same", columns.show_redundancy),
    Part("effects", "How the columns act", columns.show_effects),
    Part("rows", "Why single rows are predicted so", rows.show_reasons),
    Part("confidence", "How sure it is", rows.show_confidence),
    Part("leaks", "Does it know too much?", world.show_leaks),
    Part("shift", "Has the world moved on?", world.show_shift),
    Part("embeddings", "What its embeddings have learned", nets.show_embeddings, _has("embeddings_")),
    Part("tree", "One of its trees", columns.show_tree, lambda subject: subject.trees is not None),
]

OF_RATINGS = [
    Part("scores", "How well it does", ratings.show_rating_scores),
    TRAINING,
    Part("data", "The ratings", ratings.show_ratings),
    Part("biases", "What is liked, whoever is asked", ratings.show_liked),
    Part("map", "The map of items", ratings.show_map),
    Part("reasons", "Why something is recommended", ratings.show_recommendation),
]
