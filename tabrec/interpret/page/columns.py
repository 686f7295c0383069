"""Sections on the columns: how important, how redundant, with what effect."""

from __future__ import annotations

from tabrec.interpret._result import Finding
from tabrec.interpret.drawings.tree_drawing import draw_tree
from tabrec.interpret.effects.dependence import partial_dependence
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.subject import MANY_ROWS, SOME_ROWS, Subject
from tabrec.interpret.reliance.redundant_columns import redundancy

_N_EFFECTS = 6
_N_BRUTE_ROWS = 200


def show_importance(section: Section, subject: Subject) -> None:
    """What the model relies on, and what can go."""
    result = subject.importance
    how = {
        "oob": "the rows that each tree did not draw",
        "permutation": "rows held out" if subject.X_valid is not None else "the rows of fit",
    }[result.method]
    section.say(
        f"How much {result.metric} is lost when a column is shuffled, on {how}. Lines are two standard errors; grey "
        "columns are not told apart from noise."
    )
    section.draw_as_it_is(result.plot(n=20), "Importance by permutation.")
    table = result.table
    useless = table[~table["is_group"] & (table["importance"] <= 2 * table["std_error"])]["column"].tolist()
    section.find(_find_useless(useless, int((~table["is_group"]).sum())))


def _find_useless(useless: list[str], n_columns: int) -> list[Finding]:
    if not useless:
        return []
    return [
        Finding(
            "unimportant columns",
            3,
            tuple(useless),
            f"{len(useless)} of {n_columns} columns are not told apart from noise: {', '.join(useless[:8])}"
            + (", …" if len(useless) > 8 else "."),
            "Importance within two standard errors of 0.",
            "drop_unimportant refits without them and says what is lost.",
        )
    ]


def show_redundancy(section: Section, subject: Subject) -> None:
    """Columns that say the same."""
    result = redundancy(subject.X, max_rows=MANY_ROWS, random_state=subject.random_state)
    section.say("Columns that rank the rows alike (Spearman's correlation, by size) join early, at the left.")
    section.draw_as_it_is(result.plot(), "Clusters of columns.")
    section.find(result.findings)


def show_effects(section: Section, subject: Subject) -> None:
    """How the prediction moves with the columns that matter most."""
    columns = subject.top_columns(_N_EFFECTS)
    if not columns:
        section.note("No column matters enough to show its effect.")
        return
    section.say(
        "The prediction for the same rows with the column set to one value after the other: on average, all else as it "
        "is. Where columns go together, such rows may not exist."
    )
    most = SOME_ROWS if subject.trees is not None else _N_BRUTE_ROWS
    X = subject.X.iloc[subject.sample(len(subject.X), most)]
    for column in columns:
        result = partial_dependence(subject.model, X, column)
        section.draw_as_it_is(result.plot(), f"Effect of {column}, on average over {len(X):,} rows of fit.")


def show_tree(section: Section, subject: Subject) -> None:
    """One of the trees, as far as it can be read."""
    n_trees = len(subject.trees.trees)  # type: ignore[union-attr]
    section.say(
        "The first splits"
        + (f" of one of {n_trees} trees, each of which is grown on rows of its own." if n_trees > 1 else ".")
    )
    section.draw_as_it_is(
        draw_tree(subject.model, max_depth=2), "Each card is a node; thicker branches hold more rows."
    )
