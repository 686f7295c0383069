"""Sections on nets: how training went, and what embeddings have learned."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabrec.interpret._result import Finding
from tabrec.interpret.drawings.embedding_maps import embedding_map
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.subject import Subject

_N_MAPS = 4
_FEWEST_LABELS = 4


def show_training(section: Section, subject: Any) -> None:
    """The losses by epoch."""
    from tabrec.neural import plot_history

    history = subject.model.history_
    section.draw(lambda ax: plot_history(history, ax), f"Losses over {len(history)} epochs.", (6.4, 3.4))
    section.find(_find_overtrained(history))


def _find_overtrained(history: Any) -> list[Finding]:
    if "valid_loss" not in history or not np.isfinite(history["valid_loss"]).any():
        return []
    valid = history["valid_loss"].to_numpy()
    best = int(np.nanargmin(valid))
    if valid[-1] <= 1.02 * valid[best]:
        return []
    return [
        Finding(
            "trained for too long",
            2,
            (),
            f"The validation loss was lowest in epoch {best + 1} of {len(valid)}, and rose after it.",
            f"{valid[best]:.4g} then, {valid[-1]:.4g} at the end.",
            "Train for fewer epochs, or set patience, which keeps the weights of the best epoch.",
        )
    ]


def show_embeddings(section: Section, subject: Subject) -> None:
    """Maps of the labels of the columns that matter most."""
    tables = subject.model.embeddings_
    by_importance = [name for name in subject.importance.table["column"] if name in tables]
    shown = [name for name in by_importance if len(tables[name]) > _FEWEST_LABELS][:_N_MAPS]
    if not shown:
        section.note("No column has labels enough for a map.")
        return
    section.say("Labels that the net treats alike lie together (first two principal components of their vectors).")
    for name in shown:
        section.draw(embedding_map(subject.model, name, n=30).plot, f"Labels of {name}.", (8, 5.6))
