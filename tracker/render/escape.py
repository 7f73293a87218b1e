"""Other people's text, made harmless for Markdown and HTML.

Run names, params, class names, paths and the sentences that quote them come from strangers. Every function here takes
such text and returns `Markup`: text that may be printed as it is. The templates print nothing else.

GitHub acts on text twice: its parser knows emphasis, links, tables and raw HTML, which escaping holds; later filters
turn ``@name``, ``#12``, ``:tada:``, ``$x$`` and commit hashes of the finished page into links, pictures and formulas,
which no escaping holds, since they see the text after it is unescaped. They leave ``<code>`` alone. So names become
``<code>`` with numeric entities, and so does a word of a sentence that such a filter would act on.

References
----------
GitHub Flavored Markdown: https://github.github.com/gfm/; the filters: https://github.com/github/cmark-gfm/issues/181
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

NAME_LENGTH = 80
"""Characters of a name or value that are shown: what fits a table on a screen."""
WORD_LENGTH = 160
"""Characters of one word of a sentence that are shown: a long path fits."""
SENTENCE_LENGTH = 2_000
"""Characters of a sentence that are shown."""

_CUT = "…"
_HIDDEN = "\N{REPLACEMENT CHARACTER}"
_JOINERS = "\u200c\u200d"  # Persian and emoji are written with them, and they reorder nothing

_ACTS_IN_CODE = re.compile(r"[^\w ,.=/()%+-]|_(?![^\W_])|(?<![^\W_])_|(?<=www)\.", re.ASCII | re.IGNORECASE)
_ACTS = re.compile(
    r"@\w|#\w|\$|://|www\.|:[\w+-]+:|\bgh-\d|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE
)
"""What GitHub's later filters act on: mentions, issues, formulas, addresses, emoji names, commit hashes."""
_OPENING, _CLOSING = "\"'([", "\"')].,;!?"
_SPECIAL = re.compile(
    r"(?P<escaped>[\\`*~#\[\]])|(?P<pipe>\|)|(?P<tag><(?=[A-Za-z/!?]))|(?P<entity>&(?=#|\w+;))"
    r"|(?P<underscore>(?<![^\W_])_|_(?![^\W_]))"
)
_ACTS_IN_ALT = re.compile(r"[\\`^*~\[\]|<>&@#$\"!]|:(?=[\w+/-])|(?<![^\W_])_|_(?![^\W_])")
_BLOCK_START = re.compile(r"\d+(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|--|:-|[>#=])")
"""Where a line begins a list, a quote, a heading, a rule or a table: a back-slash at its end holds it."""


def printable(text: str, length: int | None = None) -> str:
    """Return `text` on one line, with what is invisible or reorders text replaced, and cut to `length` with a mark.

    Parameters
    ----------
    text : str
        Anything: control characters, ANSI escapes, bidirectional overrides and lone surrogates are replaced.
    length : int or None, characters, at least 1
        None: whole.
    """
    seen = "".join(sign if sign.isprintable() or sign in _JOINERS else _visible(sign) for sign in text)
    return seen if length is None or len(seen) <= length else seen[: length - 1] + _CUT


def code(text: str, length: int = NAME_LENGTH) -> Markup:
    """Return a name or value as ``<code>`` for Markdown, in which nothing of `text` can act, in a table or outside."""
    return Markup(f"<code>{_entities(printable(text, length))}</code>")  # noqa: S704


def inside(text: str, length: int | None = SENTENCE_LENGTH) -> Markup:
    """Return words that stand within a line of Markdown; ordinary words stay as they are."""
    words = printable(text, length).split()
    return Markup(" ".join(_word(word) for word in words))  # noqa: S704


def held(line: str) -> Markup:
    """Return an escaped line such that its beginning is text, not a list, a quote, a heading, a rule or a table."""
    start = _BLOCK_START.match(line)
    return Markup(f"{line[: start.end()]}\\{line[start.end() :]}" if start else line)  # noqa: S704


def prose(text: str) -> Markup:
    """Return a sentence for Markdown, on one line: a paragraph, a list item, a heading or a table cell of its own."""
    return held(inside(text))


def alt(text: str) -> Markup:
    """Return a sentence as the alternative text of a Markdown image."""
    line = " ".join(printable(text, SENTENCE_LENGTH).split())
    return Markup(_ACTS_IN_ALT.sub(_entity, line))  # noqa: S704


def fence(text: str, language: str = "sh") -> Markup:
    """Return `text` as a fenced code block, the fence longer than any run of back-ticks inside."""
    lines = "\n".join(printable(line) for line in text.splitlines())
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", lines)), default=0))
    return Markup(f"{ticks}{language}\n{lines}\n{ticks}")  # noqa: S704


def html_code(text: str, length: int = NAME_LENGTH) -> Markup:
    """Return a name or value as ``<code>`` for HTML; what is cut is in its title."""
    shown, whole = printable(text, length), printable(text, SENTENCE_LENGTH)
    title = Markup(' title="{}"').format(whole) if shown != whole else ""
    return Markup("<code{}>{}</code>").format(title, shown)


def html_block(text: str) -> Markup:
    """Return `text` as a block of code for HTML, line by line."""
    return Markup("<pre><code>{}</code></pre>").format("\n".join(printable(line) for line in text.splitlines()))


def html_prose(text: str) -> Markup:
    """Return a sentence for HTML."""
    return escape(printable(text, SENTENCE_LENGTH))


def _visible(sign: str) -> str:
    """Return what stands for a sign that cannot be shown: a space for a tab, say, a mark for the rest."""
    return " " if sign.isspace() else _HIDDEN


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def _entities(text: str) -> str:
    """Write every ASCII sign that could act as a numeric entity."""
    written = _ACTS_IN_CODE.sub(lambda sign: _entity(sign) if sign[0].isascii() else sign[0], text)
    return written.replace("&#64;", "&#64;<!-- -->")  # GitHub finds addresses after unescaping, but across no tag


def _word(word: str) -> str:
    if not _ACTS.search(word):
        return _escaped(printable(word, WORD_LENGTH))
    core = word.lstrip(_OPENING)
    before, core = word[: len(word) - len(core)], core.rstrip(_CLOSING)
    return _escaped(before) + code(core, WORD_LENGTH) + _escaped(word[len(before) + len(core) :])


def _escaped(word: str) -> str:
    """Escape what Markdown's parser would act on inside a word."""
    return _SPECIAL.sub(_escape_sign, word)


def _escape_sign(match: re.Match[str]) -> str:
    if match["escaped"] or match["underscore"]:
        return f"\\{match[0]}"
    return {"|": "&#124;", "<": "&lt;", "&": "&amp;"}[match[0]]
