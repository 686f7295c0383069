"""`find_encoding`: the encoding of a text from its first bytes."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Encodings whose letters differ so much from Latin ones that a guess among them is reliable. Among Latin encodings
# a guess is not: a few accented letters fit several, and cp1252 is by far the most common.
_NOT_LATIN = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030", "big5", "cp949"]
_LATIN = ["cp1252", "cp1250", "cp1254"]
# Number of lines with non-ASCII bytes from which the encoding is guessed.
_MOST_LINES = 200


def find_encoding(head: bytes, *, is_complete: bool) -> str:
    """Find the encoding of a text by its byte-order mark, as UTF-16 by its zero bytes, as UTF-8, or by its letters.

    `head` is its beginning; unless `is_complete`, the last character may be cut.
    """
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        return _find_utf_16(head)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=is_complete)
    except UnicodeDecodeError:
        return _guess_by_letters(head)
    return "utf-8"


def _find_utf_16(head: bytes) -> str:
    # The high byte of ASCII characters, such as delimiters and digits, is zero in UTF-16.
    encoding = "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be"
    text = head.decode(encoding, errors="ignore")
    if "\0" in text or (b"\n" in head and "\n" not in text):
        raise ValueError(
            "it holds zero bytes, as padded fields or binary files do: remove them, or pass its --encoding."
        )
    return encoding


def _guess_by_letters(head: bytes) -> str:
    lines = [line for line in head.splitlines() if not line.isascii()][:_MOST_LINES]
    sample = b"\n".join(lines)
    match = from_bytes(sample, cp_isolation=_NOT_LATIN + _LATIN).best()
    if (
        match is not None
        and match.encoding in _NOT_LATIN
        and _is_not_latin(sample.decode(match.encoding, "ignore"), match.encoding)
    ):
        return match.encoding
    try:
        sample.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _is_not_latin(text: str, encoding: str) -> bool:
    """Return whether most words with non-ASCII letters have no ASCII letter; accented Latin words have both.

    Single signs of cp1252 are not counted as words: its euro sign, for example, is a letter in cp1251.
    """
    words = [word for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()]
    words = [word for word in words if len(word) > 1 or word.encode(encoding).decode("cp1252", "replace").isalpha()]
    pure = sum(re.search("[A-Za-z]", word) is None for word in words)
    return pure > 0.8 * len(words)
