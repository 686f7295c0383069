"""Names of months in several languages, with and without abbreviation, as text and as English abbreviations."""

from __future__ import annotations

import re

_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# English, German, French, Spanish, Italian, Portuguese and Dutch.
_NAMES = (
    "january jan januar jän jänner janvier janv enero ene gennaio gen janeiro januari",
    "february feb februar febr février fevrier févr fevr febrero febbraio fevereiro fev februari",
    "march mar märz maerz mär mrz mars marzo março marco maart mrt",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug août aout agosto ago augustus",
    "september sep sept septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro",
)
MONTH_NUMBERS = {name: number for number, names in enumerate(_NAMES, start=1) for name in names.split()}
_MONTH = rf"(?<![^\W\d_])(?:{'|'.join(sorted(MONTH_NUMBERS, key=len, reverse=True))})(?![^\W\d_])"
# A point after the name is part of an abbreviation.
MONTH = rf"{_MONTH}\.?"
_FOUND = re.compile(rf"({_MONTH})\.?", re.IGNORECASE)


def with_english_months(text: str) -> str:
    """Return the text with its month as the English abbreviation.

    Examples
    --------
    >>> from tabrec.tables.month_names import with_english_months
    >>> with_english_months("1. März 2021"), with_english_months("3 févr. 2020"), with_english_months("May 5, 2021")
    ('1. Mar 2021', '3 Feb 2020', 'May 5, 2021')
    """
    return _FOUND.sub(lambda match: _ENGLISH[MONTH_NUMBERS[match[1].casefold()] - 1], text)
