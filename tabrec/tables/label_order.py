"""`in_natural_order`: names of weekdays or months in the order of the calendar, and ranges in that of their numbers."""

from __future__ import annotations

import re

from tabrec.tables.month_names import MONTH_NUMBERS

# From Monday to Sunday in English, German, French, Spanish, Italian, Portuguese and Dutch.
_WEEKDAYS = (
    "monday mon; tuesday tue tues; wednesday wed; thursday thu thur thurs; friday fri; saturday sat; sunday sun",
    "montag mo; dienstag di; mittwoch mi; donnerstag do; freitag fr; samstag sonnabend sa; sonntag so",
    "lundi lun lu; mardi mar ma; mercredi mer me; jeudi jeu je; vendredi ven ve; samedi sam sa; dimanche dim di",
    "lunes lun lu; martes mar ma; miércoles miercoles mié mie mi; jueves jue ju; viernes vie vi; "
    "sábado sabado sáb sab sa; domingo dom do",
    "lunedì lunedi lun lu; martedì martedi mar ma; mercoledì mercoledi mer me; giovedì giovedi gio gi; "
    "venerdì venerdi ven ve; sabato sab sa; domenica dom do",
    "segunda segunda-feira seg; terça terça-feira ter; quarta quarta-feira qua; quinta quinta-feira qui; "
    "sexta sexta-feira sex; sábado sabado sáb sab; domingo dom",
    "maandag ma; dinsdag di; woensdag wo; donderdag do; vrijdag vr; zaterdag za; zondag zo",
)
_CALENDARS = [
    MONTH_NUMBERS,
    *({name: day for day, names in enumerate(week.split(";")) for name in names.split()} for week in _WEEKDAYS),
]
_FEWEST, _MOST = 3, 50  # Few labels may be names of months by chance, and many are not ranges.

# 18-24, 1,000 to 4,999, €20 – €29, (10, 20]
_RANGE = re.compile(r"\d\s*(?:[-–—]|to|bis|à|\.\.)\s*[^\w\s]?\s*\d|^[(\[].*\d,\s*-?\d.*[)\]]$")
_NUMBER = re.compile(r"\d[\d.,' \u00a0\u202f]*")
_SEPARATOR = re.compile(r"[.,' \u00a0\u202f](?=\d{3}(?!\d))")
_BELOW = re.compile(r"[<≤]|under|below|less|fewer|up to|at most|unter|bis|weniger|moins|menos")
_ABOVE = re.compile(r"[>≥+]|over|above|more|older|at least|über|mehr|plus|más")
_LONGEST_PREFIX = 15


def in_natural_order(labels: list) -> list | None:
    """Return the labels in the order of a calendar or of their numbers, None if they are neither.

    They must all be names of months, or of weekdays in one language, or most of them ranges of numbers.

    Examples
    --------
    >>> from tabrec.tables.label_order import in_natural_order
    >>> in_natural_order(["Fri", "Mon", "Sun"]), in_natural_order(["avril", "déc.", "janvier"])
    (['Mon', 'Fri', 'Sun'], ['janvier', 'avril', 'déc.'])
    >>> in_natural_order(["10-49", "5-9", "under 5", "50+"])
    ['under 5', '5-9', '10-49', '50+']
    >>> in_natural_order(["Mon", "Fri", "other"])
    """
    if not _FEWEST <= len(labels) <= _MOST or not all(isinstance(label, str) for label in labels):
        return None
    names = {label: label.strip().casefold().removesuffix(".") for label in labels}
    for positions in _CALENDARS:
        if all(name in positions for name in names.values()):
            return sorted(labels, key=lambda label: (positions[names[label]], label))
    ranges = sum(_RANGE.search(name) is not None for name in names.values())
    starts = {label: _start_of_range(name) for label, name in names.items()}
    if 2 * ranges < len(labels) or None in starts.values():
        return None
    return sorted(labels, key=lambda label: (starts[label], label))


def _start_of_range(name: str) -> tuple[float, int] | None:
    """Return the first number of a range, and -1, 0 or 1 if the range is below it, starts at it or is above it."""
    match = _NUMBER.search(name)
    if match is None or match.start() > _LONGEST_PREFIX:
        return None
    digits = _SEPARATOR.sub("", match[0]).rstrip("., '\u00a0\u202f").replace(",", ".")
    if not re.fullmatch(r"\d+(\.\d+)?", digits):
        return None
    is_negative = re.search(r"(^|[(\[ ])-\s*$", name[: match.start()]) is not None
    side = 0 if _RANGE.search(name) else -1 if _BELOW.search(name) else int(_ABOVE.search(name) is not None)
    return (-float(digits) if is_negative else float(digits)), side
