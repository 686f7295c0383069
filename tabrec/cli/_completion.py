"""Shell completion of options and values. It imports neither pandas nor torch, because every Tab waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tabrec.cli._catalogue import DATASETS

_Completions = list[tuple[str, str]]

# Copies of the names in `tabrec.runs`, which takes a second to import; a test compares them.
TABLE_MODELS = {
    "forest": "many trees, averaged",
    "boosting": "trees, each correcting the previous ones",
    "net": "embeddings and layers",
    "ensemble": "five kinds of models, weighted",
    "all": "the best of forest, boosting and net",
}
RATING_MODELS = {"dot": "factors, a net", "nn": "embeddings and layers", "bayes": "factors, sampled"}
RANKING_MODELS = {
    "ease": "weights between items, in closed form",
    "als": "factors, by alternating least squares",
    "bpr": "factors, by pairs of items",
    "knn": "neighbours of items",
    "blend": "ease and als, weighted",
    "two-stage": "candidates of several, ranked by boosting",
    "popular": "the most popular items",
    "all": "the best of ease, als, knn and blend",
}
TASKS = {"auto": "inferred from the target", "regression": "a number", "classification": "a label"}
SOURCES = {name: listed.source for name, listed in DATASETS.items()}


def one_of(choices: dict[str, str]) -> Callable[[str], _Completions]:
    """Return a function that completes the names of choices."""

    def complete(incomplete: str) -> _Completions:
        return [(name, what) for name, what in choices.items() if name.startswith(incomplete)]

    return complete


def any_run(incomplete: str) -> _Completions:
    return _runs(incomplete, lambda metadata: True)


def run_of_train(incomplete: str) -> _Completions:
    return _runs(incomplete, lambda metadata: "target" in metadata)


def run_of_recommender(incomplete: str) -> _Completions:
    return _runs(incomplete, lambda metadata: "rating" in metadata or "interactions" in metadata)


def _runs(incomplete: str, is_wanted: Callable[[dict], bool]) -> _Completions:
    """Return the folders of runs in ``runs/`` and one level below, where the demo writes its runs."""
    files = sorted([*Path("runs").glob("*/metrics.json"), *Path("runs").glob("*/*/metrics.json")])
    found = [(file.parent.as_posix(), _read(file)) for file in files]
    return [
        (folder, f"{metadata.get('model')} of {metadata.get('target') or metadata.get('rating') or 'interactions'}")
        for folder, metadata in found
        if folder.startswith(incomplete) and is_wanted(metadata)
    ]


def _read(file: Path) -> dict[str, Any]:
    """Return the metrics of a run, or an empty dict: completion must not print errors."""
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return metadata if isinstance(metadata, dict) else {}
