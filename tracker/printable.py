"""Text of strangers, made fit for a line of a terminal, a log or a page.

Names, ids, folders and what servers answer may hold control characters and escapes, which steer a terminal, and
bidirectional marks, which make a line read other than it is.
"""

from __future__ import annotations

import shlex
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE = 3_000  # characters of a message; more is a body or a file that somebody passed on

_JOINERS = "\u200c\u200d"  # Persian and emoji are written with them, and they reorder nothing
_ACTIVE = frozenset('"$`\\!')  # what a shell acts on in double quotes
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, length: int | None = None) -> str:
    """Return `text` on one line and cut to `length` characters with a mark; None: whole.

    Control characters, ANSI escapes, bidirectional overrides and lone surrogates are replaced.
    """
    seen = text
    if not text.isprintable():
        seen = "".join(
            sign if sign.isprintable() or sign in _JOINERS else " " if sign.isspace() else _REPLACED for sign in text
        )
    return seen if length is None or len(seen) <= length else f"{seen[: length - 1]}…"


def is_printable(text: str) -> bool:
    """Return whether `printable` leaves `text` as it is, but for spaces of other widths."""
    return all(sign.isprintable() or sign in _JOINERS or unicodedata.category(sign) == "Zs" for sign in text)


def printable_lines(text: str) -> str:
    """Return a document whose lines and tabs stay, and in which `printable` replaces the rest."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def decoded(word: str) -> str:
    """Return a word of the command line as UTF-8 where the locale, such as ``LANG=C``, could not decode it."""
    try:
        return word.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return word


def command_text(words: Iterable[str]) -> str | None:
    """Return a command for a POSIX shell, each word quoted; None if nobody could copy it as it is."""
    given = list(words)
    return " ".join(map(_quoted, given)) if all(word and is_printable(word) for word in given) else None


def _quoted(word: str) -> str:
    """Return a word as a shell takes it: in double quotes if it has single ones and nothing that acts in double."""
    return f'"{word}"' if "'" in word and not _ACTIVE & {*word} else shlex.quote(word)


def with_command(words: Iterable[str]) -> str:
    """Return " with `COMMAND`", to be added to what the command does; nothing if there is no `command_text` of it."""
    command = command_text(words)
    return f" with `{command}`" if command else ""
