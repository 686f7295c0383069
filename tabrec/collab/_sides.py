"""The two sides of ratings, users and items: their ids, their side tables, and how each came to be known."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabrec.collab._features import SideTable, learn_side_table
from tabrec.collab._ids import Ids, as_column, id_at
from tabrec.tables.columns import Column

# How a row of a model came about, the best first.
LEARNED, FOLDED_IN, FROM_METADATA, UNKNOWN = range(4)
_PATHS = np.array(["learned", "fold-in", "metadata", "item bias", "user bias", "global mean"], dtype=object)

_OF_USERS = re.compile(r"user|customer|member|reader|visitor|viewer|client|person|buyer", re.IGNORECASE)
_OF_ITEMS = re.compile(r"item|movie|film|title|product|book|song|track|artist|article", re.IGNORECASE)


@dataclass(frozen=True)
class Side:
    """Users or items.

    Attributes
    ----------
    ids : Ids
    origins : ndarray of shape (n_codes,), int8
        LEARNED, FOLDED_IN, FROM_METADATA or UNKNOWN, by code.
    table : SideTable or None
    """

    ids: Ids
    origins: np.ndarray
    table: SideTable | None

    @property
    def n_codes(self) -> int:
        return self.ids.n_codes

    def design(self) -> np.ndarray:
        """Features for a linear model, of shape (n_codes, n_features): none, without a side table."""
        return np.zeros((self.n_codes, 0), dtype=np.float32) if self.table is None else self.table.design()

    def known(self) -> np.ndarray:
        """Codes of the ids with ratings."""
        return np.flatnonzero(self.origins <= FOLDED_IN)

    def became_known(self, before: np.ndarray) -> np.ndarray:
        """Codes of the ids with ratings that had none by these earlier origins."""
        known = self.known()
        had = np.zeros(self.n_codes, dtype=bool)
        had[: len(before)] = before <= FOLDED_IN
        return known[~had[known]]

    def require(self, ids: Any) -> np.ndarray:
        """Codes of ids which must be known; a ValueError names the first that is not, and the nearest that are."""
        column = as_column(self.ids.name, ids)
        codes = self.ids.encode(column)
        if not len(codes) or codes.all():
            return codes
        absent = id_at(column, int(np.argmin(codes)))
        near = [repr(label) for label in nearest_labels(absent, self.ids.labels)]
        hint = f" The nearest: {', '.join(near)}." if near else ""
        raise ValueError(f"{self.ids.name} {absent!r} is not known to the model.{hint}")

    def with_ids(self, column: Column, origin: int) -> Side:
        """This side with the ids of a column, which come about in this way unless they did in a better one."""
        ids = self.ids.with_labels(column.as_labels().in_use)
        origins = np.concatenate([self.origins, np.full(ids.n_codes - self.n_codes, UNKNOWN, dtype=np.int8)])
        codes = np.array([code for code in np.unique(ids.encode(column)) if code], dtype=np.intp)
        origins[codes] = np.minimum(origins[codes], origin)
        table = None if self.table is None else self.table.grown(ids.n_codes)
        return replace(self, ids=ids, origins=origins, table=table)


def learn_side(column: Column, parameter: str, features: Any) -> Side:
    """The ids that a column of ratings holds, and those that a side table adds."""
    ids, table = Ids.learn(column), None
    n_rated = ids.n_codes
    if features is not None:
        table, ids = learn_side_table(parameter, features, ids)
    origins = np.full(ids.n_codes, FROM_METADATA, dtype=np.int8)
    origins[:n_rated] = LEARNED
    origins[0] = UNKNOWN
    return Side(ids, origins, table)


def name_paths(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """How predictions come about, by the origins of their users and items: object array of text."""
    worse = np.maximum(users, items)
    path = np.where(worse < UNKNOWN, worse, np.where(users < UNKNOWN, 4, 3))
    return _PATHS[np.where((users == UNKNOWN) & (items == UNKNOWN), 5, path)]


def check_not_swapped(user: str, item: str) -> None:
    """A ValueError where the names of the first two columns say that items come first."""
    says_item = _OF_ITEMS.search(user) and not _OF_USERS.search(user)
    says_user = _OF_USERS.search(item) and not _OF_ITEMS.search(item)
    if says_item and says_user:
        raise ValueError(
            f"The first column should hold the users and the second the items, but they are {user!r} and {item!r}, "
            f"which look swapped: reorder them, or set user={item!r}, item={user!r} (or user={user!r}, item={item!r}, "
            "if they are right)."
        )


def _fold(text: str) -> str:
    """A text without case and accents."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )


def nearest_labels(label: Any, labels: list, n: int = 3) -> list:
    """Known labels that look like a text, those that hold it first."""
    if not isinstance(label, str):
        return []
    texts = {_fold(str(known)): known for known in labels}
    wanted = _fold(label)
    holding = [text for text in texts if wanted in text][:n]
    close = difflib.get_close_matches(wanted, list(texts), n=n, cutoff=0.5) if len(holding) < n else []
    return [texts[text] for text in dict.fromkeys([*holding, *close])][:n]
