"""Find the columns of users, items and ratings by their names and content."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from tabrec.tables.columns import advise_on_index, to_columns
from tabrec.tables.dates import looks_like_dates
from tabrec.tables.names import names_of

# Names in English and, without accents, in German, French, Spanish, Italian, Portuguese, Dutch, Chinese and Japanese.
_USER = (
    "user|customer|member|reader|reviewer|visitor|viewer|listener|player|client|person|buyer|"
    "kunden?|(be)?nutzer|utilisateur|usuario|cliente|utente|klant|gebruiker|用户|客户|ユーザー?"
)
# Visits and purchases are used as users if no column of users is found.
_VISIT = "session|basket|cart|order|invoice|account|household|cookie|device"
_ITEM = (
    "item|movie|film|product|book|song|track|artist|article|business|game|anime|recipe|page|url|video|content|listing|"
    "hotel|restaurant|course|app|podcast|episode|"
    "artikel|produkt|produit|articulo|producto|articolo|prodotto|produto|artigo|商品|物品|アイテム"
)
_ID = "(id|key|code|no|nr|number|nummer|numero|uuid|guid|hash)"
_EVENT = "(unix|event|rating|rated|review|click|view|order|purchase|transaction|created|start)*"
# Patterns of names without case and punctuation; a name that fits an earlier pattern is preferred.
_PATTERNS = {
    "user": (r"users?(id)?", rf"({_USER})s?{_ID}|uid", rf"({_USER})s?(name)?", rf"({_VISIT})s?{_ID}?"),
    "item": (r"items?(id)?", rf"({_ITEM})s?{_ID}|iid|sku|asin|isbn(10|13)?", rf"({_ITEM})s?(name)?", r"titles?"),
    "rating": (
        r"ratings?",
        rf"({_USER}|{_ITEM}|star|review)?(ratings?(value)?|scores?)|stars?|votes?|overall|grade|"
        r"bewertung|calificacion|评分",
    ),
    "strength": (
        r"strengths?|weights?",
        r"n?(rating|play|listen|view|click|purchase|order|visit|event)?(count|qty)s?|n?plays?|n?clicks|n?views|quantity|"
        r"menge|anzahl|quantite|cantidad|quantita|quantidade|aantal|数量",
    ),
    "time": (
        rf"{_EVENT}(timestamp|datetime|time|date|ts)|createdat|day|when|datum|zeit(punkt|stempel)?|fecha|时间|日期",
    ),
}
_OF_USERS = re.compile(_USER, re.IGNORECASE)
_OF_ITEMS = re.compile(rf"{_ITEM}|title", re.IGNORECASE)
# Names of columns that may number the rows; pandas writes an index without a name and reads it as "Unnamed: 0".
_ROW_NUMBER = re.compile(r"|unnamed\d+|index|id|row|row(id|no|nr|number)|ratingid|level0")
_SAMPLE = 1000
_MOST_UNNAMED = 30
# Largest share of times before 1980, and after 2100, such as 0 or times of a wrong clock.
_OUTLIERS = 0.01
# If a larger share of the values is distinct, they are times of events rather than ids.
_RECURRENT = 0.9
# Times since 1970 in seconds, milliseconds, microseconds and nanoseconds, from 1980 to 2100.
_UNIX_TIMES = [(unit * 315_532_800, unit * 4_102_444_800) for unit in (1, 10**3, 10**6, 10**9)]
_MATRIX_ADVICE = "If X is a matrix of users and items, pass scipy.sparse.csr_matrix(X), with y=None. "
_RANKING_MODELS = "EASE, ImplicitALS, BPR or ItemKNN"


class RatingColumns(NamedTuple):
    """The names of the columns of users, items and ratings."""

    user: str
    item: str
    rating: str

    def __str__(self) -> str:
        return f"users {self.user!r}, items {self.item!r}, ratings {self.rating!r}"


def find_rating_columns(
    frame: pd.DataFrame,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    others: Iterable[str] = (),
) -> RatingColumns:
    """Find the columns of users, items and ratings, those not given by their names and their content.

    `others` are columns of another use. A ValueError names missing or ambiguous columns.
    """
    given = {"user": user, "item": item, "rating": rating}
    found = {role: name for role, name in given.items() if name is not None}
    _check_given(frame, [*found.values(), *others])
    _check_index(frame, found)
    names = [name for name in frame.columns if name not in others]
    for role in given:
        _find_by_name(found, role, names)
    rest = _unused(frame, found, names)
    absent = [role for role in given if role not in found]
    if "rating" in absent:
        _find_rating(frame, found, rest, n_ids=len(absent) - 1)
        rest = [name for name in rest if name not in found.values()]
    absent = [role for role in absent if role not in found]
    if len(rest) > len(absent):
        rest = [name for name in rest if describe_column(frame[name]) != "times"]
    if len(absent) > len(rest):
        raise ValueError(
            f"The table has the columns {frame.columns.tolist()[:20]}, but needs a user, an item and a rating: no "
            f"column is recognised as the {absent[len(rest)]}; {_advice(absent)}"
        )
    if absent and len(rest) > len(absent):
        raise ValueError(_ambiguous(absent[0], rest))
    found |= dict(zip(absent, rest, strict=False))
    return RatingColumns(found["user"], found["item"], found["rating"])


class InteractionColumns(NamedTuple):
    """The names of the columns of users and items and, if present, of strengths and times."""

    user: str
    item: str
    strength: str | None
    time: str | None

    def __str__(self) -> str:
        named = [("users", self.user), ("items", self.item), ("strengths", self.strength), ("times", self.time)]
        return ", ".join(f"{role} {name!r}" if name is not None else f"no {role}" for role, name in named)


def find_interaction_columns(
    frame: pd.DataFrame,
    *,
    user: str | None = None,
    item: str | None = None,
    strength: str | None = None,
    time: str | None = None,
) -> InteractionColumns:
    """Find the columns of interactions: ids as in `fit`, strengths by name, times by name or as the only dates."""
    given = {"user": user, "item": item, "strength": strength, "time": time}
    found = {role: name for role, name in given.items() if name is not None}
    _check_given(frame, list(found.values()))
    rest = [name for name in frame.columns if name not in (strength, time)]
    for role in ("user", "item"):
        _find_by_name(found, role, rest)
    user, item = find_id_columns(frame[rest], found.get("user"), found.get("item"), "a recommender")
    rest = [name for name in rest if name not in (user, item)]
    if "strength" not in found:
        numbers = [name for name in rest if describe_column(frame[name]) == "numbers"]
        _find_by_name(found, "rating", numbers)
        if "rating" in found:
            found["strength"] = found.pop("rating")
        _find_by_name(found, "strength", numbers)
    return InteractionColumns(user, item, found.get("strength"), found.get("time") or find_time_column(frame[rest]))


def find_time_column(frame: pd.DataFrame) -> str | None:
    """Find the column of times, by a usual name or as the only column of dates or times; None if there is none.

    A column of one time, such as the date of an export, does not order the rows.
    """
    frame = frame[[name for name in frame.columns if not _is_constant(frame[name])]]
    named = [name for name in frame.columns if re.fullmatch(_PATTERNS["time"][0], _plain(name))]
    times = [name for name in named or frame.columns if describe_column(frame[name]) in ("dates", "times")]
    return times[0] if len(times) == 1 else None


def is_named_rating(name: str) -> bool:
    """Return whether a column has a usual name of ratings."""
    return any(re.fullmatch(pattern, _plain(name)) for pattern in _PATTERNS["rating"])


def find_id_columns(frame: pd.DataFrame, user: str | None, item: str | None, owner: str) -> tuple[str, str]:
    """Find the columns of users and items in X: those given, those with usual names, or the first ones.

    If X has two columns, the first is that of the users.
    """
    names = frame.columns.tolist()
    if len(names) < 2:
        raise ValueError(
            f"X has {len(names)} feature(s), but {owner} needs at least two columns: ids of users and of items."
            f"{advise_on_index(frame)}"
        )
    found = {role: name for role, name in (("user", user), ("item", item)) if name is not None}
    absent = [name for name in found.values() if name not in names]
    if absent:
        advice = advise_on_index(frame) if absent[0] in frame.index.names else ""
        raise ValueError(f"X has no column {absent[0]!r} for the ids; {names_of(names, absent[0])}.{advice}")
    _check_index(frame, found)
    if len(names) == 2:
        if not found:
            check_not_swapped(*names)
        rest = [name for name in names if name not in found.values()]
    else:
        for role in ("user", "item"):
            _find_by_name(found, role, names)
        # Without usual names, the first two columns are used, as for arrays.
        if not found and len(names) > _MOST_UNNAMED:
            raise ValueError(
                f"X has {len(names)} columns, none with a usual name of users or items such as 'user' or 'item': name "
                f"two of them by user= and item=. {_MATRIX_ADVICE.strip()}"
            )
        likely = [] if len(found) == 2 else _unused(frame, found, names)
        doubts = {name: _id_priority(frame[name]) for name in likely}
        rest = list(dict.fromkeys(sorted(likely, key=doubts.__getitem__) + names))
        rest = [name for name in rest if name not in found.values()]
    user_name = found.get("user") or rest.pop(0)
    item_name = found.get("item") or rest.pop(0)
    if user_name == item_name:
        raise ValueError(f"user and item must be two columns, but both are {user_name!r}.")
    for role, name, given in (("user", user_name, user), ("item", item_name, item)):
        if given is None and re.fullmatch(_PATTERNS["time"][0], _plain(name)):
            raise ValueError(f"X has no column of {role}s: {name!r} has the name of a time; {_advice([role])}")
    return user_name, item_name


def find_ids_without_header(frame: pd.DataFrame) -> list[str]:
    """Return the first two columns that may hold ids, leaving out fractions and mostly distinct times."""
    ids = [name for name in frame.columns if not _has_fractions(frame[name]) and not _is_clock(frame[name])]
    return (ids if len(ids) >= 2 else frame.columns.tolist())[:2]


def names_ids(name: str, role: str) -> bool:
    """Return whether a name suggests that a column holds the ids of a role, "user" or "item"."""
    return any(re.fullmatch(pattern, _plain(name)) for pattern in (*_PATTERNS[role], "id"))


def check_not_swapped(user: str, item: str) -> None:
    """Raise a ValueError if the names of two columns suggest that items come first."""
    says_item = _OF_ITEMS.search(user) and not _OF_USERS.search(user)
    says_user = _OF_USERS.search(item) and not _OF_ITEMS.search(item)
    if says_item and says_user:
        raise ValueError(
            f"The first column should hold the users and the second the items, but they are {user!r} and {item!r}, "
            f"which look swapped: reorder them, or set user={item!r}, item={user!r} (or user={user!r}, item={item!r}, "
            "if they are right)."
        )


def _check_given(frame: pd.DataFrame, given: list[str]) -> None:
    absent = [name for name in given if name not in frame.columns]
    if absent:
        raise ValueError(f"The table has no column {absent[0]!r}; {names_of(frame.columns, absent[0])}.")
    if len(set(given)) < len(given):
        raise ValueError(f"User, item, rating and time must be different columns. Got {given}.")


def _check_index(frame: pd.DataFrame, found: dict[str, str]) -> None:
    """Raise a ValueError if only the index has a usual name of ids, so that wrong columns would be used."""
    for role in ("user", "item"):
        index, columns = (
            [name for name in names if any(re.fullmatch(pattern, _plain(str(name))) for pattern in _PATTERNS[role])]
            for names in (frame.index.names, frame.columns)
        )
        if index and not columns and role not in found:
            is_matrix = len(frame.columns) > _MOST_UNNAMED or all(name.isdecimal() for name in frame.columns)
            raise ValueError(
                f"The table has the columns {frame.columns.tolist()[:20]}, none with the name of {role}s. "
                + (_MATRIX_ADVICE if is_matrix else f"{advise_on_index(frame).strip()} ")
                + f"If a column holds them: {_advice([role])}"
            )


def _find_by_name(found: dict[str, str], role: str, names: list[str]) -> None:
    """Add the column whose name fits a role best, if any; raises a ValueError if several fit."""
    if role in found:
        return
    free = [name for name in names if name not in found.values()]
    for pattern in _PATTERNS[role]:
        fitting = [name for name in free if re.fullmatch(pattern, _plain(name))]
        if len(fitting) > 1:
            raise ValueError(_ambiguous(role, fitting))
        if fitting:
            found[role] = fitting[0]
            return


def _find_rating(frame: pd.DataFrame, found: dict[str, str], rest: list[str], n_ids: int) -> None:
    """Add the column of ratings: the only column of numbers, or the one after ids without usual names."""
    kinds = {name: describe_column(frame[name]) for name in rest}
    numbers = [name for name, kind in kinds.items() if kind == "numbers"]
    untimed = [name for name, kind in kinds.items() if kind != "times"]
    if n_ids and len(untimed) == n_ids + 1 and untimed[-1] in numbers:
        found["rating"] = untimed[-1]
        return
    if len(numbers) > 1:
        raise ValueError(_ambiguous("rating", numbers))
    if not numbers or len(rest) <= n_ids:
        raise ValueError(
            f"The table has no column of ratings, but needs a user, an item and a rating; it has "
            f"{frame.columns.tolist()[:20]}. To learn from interactions without ratings, use {_RANKING_MODELS} "
            f"(in Python: fit(X)). If a column holds ratings: {_advice(['rating'])}"
        )
    found["rating"] = numbers[0]


def _unused(frame: pd.DataFrame, found: dict[str, str], names: list[str]) -> list[str]:
    """Return the columns that have no role yet, without times, dates and row numbers."""
    rest = [name for name in names if name not in found.values()]
    rest = [name for name in rest if not re.fullmatch(_PATTERNS["time"][0], _plain(name))]
    return [name for name in rest if describe_column(frame[name]) != "dates" and not _numbers_rows(name, frame[name])]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKD", name)).casefold()


def describe_column(column: pd.Series) -> str:
    """Return the kind of the first values of a column: "dates", "times" (since 1970), "numbers" or "text"."""
    try:
        sample = to_columns(column.iloc[:_SAMPLE].to_frame())[str(column.name)]
        values = sample.values
    except (TypeError, ValueError):
        return "text"
    if sample.is_date:
        return "dates"
    if sample.is_label:
        labels = [label for label in values.in_use if label != ""]
        numbers = pd.to_numeric(pd.Series(labels, dtype=object), errors="coerce").to_numpy(np.float64)
        if len(labels) == 0 or np.isnan(numbers).any():
            return "dates" if looks_like_dates(labels) else "text"
    else:
        numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers):
        first, last = np.quantile(numbers, [_OUTLIERS, 1 - _OUTLIERS])
        if any(low <= first and last <= high for low, high in _UNIX_TIMES):
            return "times"
    return "numbers"


def _numbers_rows(name: str, column: pd.Series) -> bool:
    """Return whether a column is named like a row number and holds distinct whole numbers."""
    if not _ROW_NUMBER.fullmatch(_plain(name)) or describe_column(column) != "numbers":
        return False
    numbers = pd.to_numeric(column.iloc[:_SAMPLE].astype(object), errors="coerce")
    return bool(numbers.notna().all() and (numbers % 1 == 0).all() and numbers.is_unique)


def _id_priority(column: pd.Series) -> int:
    """Return 0 for a column named like one of ids, 2 for fractions and constants, and 1 for others."""
    if _has_fractions(column) or _is_constant(column):
        return 2
    return int(re.fullmatch(rf".*[\W_]{_ID}|.*[a-z](Id|ID|Key|Code)", str(column.name)) is None)


def _has_fractions(column: pd.Series) -> bool:
    if describe_column(column) != "numbers":
        return False
    numbers = pd.to_numeric(column.iloc[:_SAMPLE].astype(object), errors="coerce").dropna()
    return bool((numbers % 1 != 0).any())


def _is_constant(column: pd.Series) -> bool:
    """Return whether all of two or more rows have the same value."""
    try:
        return len(column) > 1 and column.iloc[0] == column.iloc[-1] and column.nunique(dropna=False) == 1
    except (TypeError, ValueError):  # lists cannot be compared or hashed
        return False


def _is_clock(column: pd.Series) -> bool:
    """Return whether a column holds dates or times, most of which are distinct."""
    values = column.iloc[:_SAMPLE]
    return describe_column(values) in ("dates", "times") and values.nunique() > _RECURRENT * len(values)


def _ambiguous(role: str, names: Collection[str]) -> str:
    listed = " and ".join(map(repr, list(names)[:6]))
    return f"It is not clear which column holds the {role}s: {listed} may; {_advice([role])}"


def _advice(roles: list[str]) -> str:
    options = " ".join(f"--{role} COLUMN" for role in roles)
    parameters = ", ".join(f"{role}='column'" for role in roles)
    return f"name it with {options} (in Python: {parameters})."
