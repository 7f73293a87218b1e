"""Other people's text and notes, made harmless for Markdown and HTML.

Run names, params, class names, paths and the sentences that quote them come from strangers. Every function here takes
such text and returns `Markup`: text that may be printed as it is. The templates print nothing else.

GitHub acts on text twice: its parser knows emphasis, links, tables and raw HTML, which escaping holds; later filters
turn ``@name``, ``#12``, ``:tada:``, ``$x$`` and commit hashes of the finished page into links, pictures and formulas,
which no escaping holds, since they see the text after it is unescaped. They leave ``<code>`` alone. So names become
``<code>`` with numeric entities, and so does a word of a sentence that such a filter would act on.

A note is a person's own Markdown, rendered as such and able to do nothing else. It is parsed with raw HTML off, so that
a tag in it is text. Headings become bold paragraphs, since the outline is the report's; pictures become their
alternative text, since a remote one tells its owner who reads the report; links keep to http, https and mailto. For
HTML the tree is rendered and sanitised; for Markdown it is written again from the tree, every text escaped on the way.

References
----------
GitHub Flavored Markdown: https://github.github.com/gfm/; the filters: https://github.com/github/cmark-gfm/issues/181
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup, escape

from tracker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Characters that are shown
NAME_LENGTH = 80  # of a name or value: what fits a table on a screen
WORD_LENGTH = 160  # of one word of a sentence: a long path fits
SENTENCE_LENGTH = 2_000
_SHORT = 240  # of a note's beginning: three lines

_ACTS_IN_CODE = re.compile(r"[^\w ,.=/()%+-]|_(?![^\W_])|(?<![^\W_])_|(?<=www)\.", re.ASCII | re.IGNORECASE)
_ACTS = re.compile(
    r"@\w|#\w|\$|://|www\.|:[\w+-]+:|\bgh-\d|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE
)
"""What GitHub's later filters act on: mentions, issues, formulas, addresses, emoji names, commit hashes."""
_OPENING, _CLOSING = "\"'([", "\"')].,;!?"
_SPECIAL = re.compile(r"[\\`*~#\[\]|]|<(?=[A-Za-z/!?])|&(?=#|\w+;)|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = {"|": "&#124;", "<": "&lt;", "&": "&amp;"}
_ACTS_IN_ALT = re.compile(r"[\\`^*~\[\]|<>&@#$\"!]|:(?=[\w+/-])|(?<![^\W_])_|_(?![^\W_])")
_UNBROKEN = re.compile(
    r"(?<=\d) (?=(?:points?|clips?|epochs?|runs?|seeds?|groups?|s|min|h|kB|MB)\b)"
    r"|(?<=\b[pn]) (?=[=<≤≥])|(?<=[=<≤≥]) (?=\d)"
)
"""Spaces at which no line may end: between a number and its unit, and within ``p = 0.07``."""
_NAME = re.compile(r"[A-Z0-9]+(?:_+[A-Z0-9]+)+(?:=[\w.+-]+)?", re.ASCII | re.IGNORECASE)
"""A name, and maybe its value, that reads better as code than with a back-slash before its ``__``."""
_HEXADECIMAL = re.compile(r"[0-9a-f]{1,64}")
_POWER = re.compile(r"\b\d(?:\.\d+)?e-\d{1,3}\b")
_BLOCK_START = re.compile(r"\d+(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|--|:-|[>#=])")
"""Where a line begins a list, a quote, a heading, a rule or a table: a back-slash at its end holds it."""


def plain(text: str) -> Markup:
    """Return a number or words of our own, in which nothing can act, as text that may be printed as it is."""
    return Markup(text)  # noqa: S704


def code(text: str, length: int = NAME_LENGTH) -> Markup:
    """Return a name or value as ``<code>`` for Markdown, in which nothing of `text` can act, in a table or outside."""
    shown = _ACTS_IN_CODE.sub(lambda sign: _entity(sign) if sign[0].isascii() else sign[0], printable(text, length))
    shown = shown.replace("&#64;", "&#64;<!-- -->")  # GitHub finds addresses after unescaping, but across no tag
    return Markup(f"<code>{shown}</code>")  # noqa: S704


def short_code(text: str) -> Markup:
    """Return the id of a run for Markdown, in back-ticks if its digits allow it, which read better in a terminal."""
    return Markup(f"`{text}`") if _HEXADECIMAL.fullmatch(text) else code(text)  # noqa: S704


def inside(text: str, length: int | None = SENTENCE_LENGTH) -> Markup:
    """Return words that stand within a line of Markdown; ordinary words stay as they are."""
    words = printable(text, length).split()
    return Markup(" ".join(_word(word) for word in words))  # noqa: S704


def escaped_start(line: str) -> Markup:
    """Return an escaped line such that its beginning is text, not a list, a quote, a heading, a rule or a table."""
    start = _BLOCK_START.match(line)
    return Markup(f"{line[: start.end()]}\\{line[start.end() :]}" if start else line)  # noqa: S704


def prose(text: str) -> Markup:
    """Return a sentence for Markdown, on one line: a paragraph, a list item, a heading or a table cell of its own."""
    return _unbroken(escaped_start(inside(text)))


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


def html_attribute(text: str) -> Markup:
    """Return a sentence for an HTML attribute or the page's title."""
    return _unbroken(escape(printable(text, SENTENCE_LENGTH)))


def html_prose(text: str) -> Markup:
    """Return a sentence for HTML, where a line may end after the hyphen of ``1e-4`` unless it is marked."""
    return plain(_POWER.sub(r'<span class="whole">\g<0></span>', str(html_attribute(text))))


def unbroken(text: str) -> str:
    """Return text in which no line ends between a number and its unit."""
    return _UNBROKEN.sub("\N{NO-BREAK SPACE}", text)


def _unbroken(text: Markup) -> Markup:
    return plain(unbroken(text))


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def _word(word: str) -> str:
    core = word.lstrip(_OPENING)
    before, core = word[: len(word) - len(core)], core.rstrip(_CLOSING)
    after = word[len(before) + len(core) :]
    if _ACTS.search(word):
        return _escaped(before) + code(core, WORD_LENGTH) + _escaped(after)
    if len(word) <= WORD_LENGTH and _NAME.fullmatch(core) and _SPECIAL.search(core):
        return f"{_escaped(before)}`{core}`{_escaped(after)}"
    return _escaped(printable(word, WORD_LENGTH))


def _escaped(word: str) -> str:
    """Escape what Markdown's parser would act on inside a word."""
    return _SPECIAL.sub(lambda sign: _ENTITIES.get(sign[0], f"\\{sign[0]}"), word)


_SCHEMES = ("http:", "https:", "mailto:")
_ELEMENTS = {
    "a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th",
    "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "*": set()}  # no titles: they would hide words from a reader


def note_html(note: str) -> Markup:
    """Return a note as sanitised HTML."""
    return Markup(  # noqa: S704
        nh3.clean(
            _parser().renderer.render(_tokens(note), _parser().options, {}),
            tags=_ELEMENTS,
            attributes=_ATTRIBUTES,
            url_schemes={scheme.rstrip(":") for scheme in _SCHEMES},
            url_relative="deny",
            link_rel="noopener noreferrer nofollow",
        )
    )


def note_markdown(note: str) -> Markup:
    """Return a note as a Markdown quotation in which nothing acts but emphasis, lists, tables, code and web links."""
    return _markdown(note, "> ")


def body_markdown(text: str) -> Markup:
    """Return an author's own text as Markdown in which nothing acts that wouldn't in a note."""
    return _markdown(text, "")


def _markdown(text: str, prefix: str) -> Markup:
    return Markup("\n".join(_prefixed(_blocks(SyntaxTreeNode(_tokens(text))), prefix)))  # noqa: S704


def note_beginning(note: str) -> str:
    """Return the words of a note's beginning, without its Markdown: other people's text still."""
    blocks = (node for node in SyntaxTreeNode(_tokens(note)).walk() if node.type in {"inline", "fence", "code_block"})
    return printable(" ".join(" ".join(map(_words, blocks)).split()), _SHORT)


def note_tree(note: str) -> list[dict[str, object]]:
    """Return a note as data: nodes with a kind, and children, a text or an address; nothing in it is markup."""
    return [_node(node) for node in SyntaxTreeNode(_tokens(note)).children]


def _node(node: SyntaxTreeNode) -> dict[str, object]:
    if node.type in {"text", "code_inline", "fence", "code_block", "softbreak", "html_inline", "html_block"}:
        kind = {"code_inline": "code", "fence": "block", "code_block": "block"}.get(node.type, "text")
        return {"kind": kind, "text": " " if node.type == "softbreak" else node.content}
    found: dict[str, object] = {"kind": {"hardbreak": "break", "tr": "row"}.get(node.type, node.type)}
    if node.type == "link":
        address = str(node.attrs.get("href", ""))
        found |= {"kind": "link", "href": address} if address.startswith(_SCHEMES) else {"kind": "span"}
    return found | {"children": list(map(_node, node.children))}


def _words(node: SyntaxTreeNode) -> str:
    """Return a node's text without its marks."""
    if node.children:
        return "".join(map(_words, node.children))
    return " " if node.type in {"softbreak", "hardbreak"} else node.content


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _tokens(note: str) -> list[Token]:
    """Parse a note, with headings made bold paragraphs and pictures made text."""
    in_heading = False
    tokens = _parser().parse("\n".join(printable(line) for line in note.expandtabs(4).splitlines()))
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            in_heading = token.type == "heading_open"
            token.type, token.tag = token.type.replace("heading", "paragraph"), "p"
        for child in token.children or []:
            if child.type == "image":
                child.type, child.content, child.children = "text", f"[picture: {child.content}]", None
        if token.children is not None and in_heading:
            token.children = [Token("strong_open", "strong", 1), *token.children, Token("strong_close", "strong", -1)]
    return tokens


def _prefixed(blocks: Iterable[str], prefix: str, first: str | None = None, *, tight: bool = False) -> list[str]:
    """Return the lines of `blocks` behind `prefix`, the first behind `first`."""
    lines = ("\n" if tight else "\n\n").join(blocks).split("\n")
    fronts = [prefix if first is None else first] + [prefix] * (len(lines) - 1)
    return [(front + line).rstrip() for front, line in zip(fronts, lines, strict=True)]


def _blocks(parent: SyntaxTreeNode) -> Iterator[str]:
    for node in parent.children:
        match node.type:
            case "paragraph":
                yield "\n".join(escaped_start(line.strip()) for line in _inline(node).split("\n"))
            case "blockquote":
                yield "\n".join(_prefixed(_blocks(node), "> "))
            case "bullet_list" | "ordered_list":
                yield _list(node)
            case "table":
                rows = [[_inline(cell) for cell in row.children] for part in node.children for row in part.children]
                rows.insert(1, ["---"] * len(rows[0]))
                yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
            case "fence" | "code_block":
                yield fence(node.content.rstrip("\n"), "")
            case "hr":
                yield "***"


def _list(node: SyntaxTreeNode) -> str:
    number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
    items = []
    for position, item in enumerate(node.children):
        first = "- " if number is None else f"{number + position}. "
        tight = all(child.hidden for child in item.children if child.type == "paragraph")
        items += _prefixed(_blocks(item), " " * len(first), first, tight=tight)
    return "\n".join(items)


def _inline(parent: SyntaxTreeNode) -> str:
    return "".join(map(_inline_node, parent.children))


def _inline_node(node: SyntaxTreeNode) -> str:
    content, mark = node.content if not node.children else _inline(node), _MARKS.get(node.type, "")
    match node.type:
        case "text":  # the spaces at its ends part it from its neighbours
            before, after = (end if end.isspace() else "" for end in (content[:1], content[-1:]))
            return f"{before}{inside(content, None)}{after if content.strip() else ''}"
        case "softbreak":
            return "\n"
        case "hardbreak":
            return "\\\n"
        case "code_inline":
            return code(content, len(content) + 1) if set("`|") & set(content) else f"`{content}`"
        case "link" if str(node.attrs.get("href", "")).startswith(_SCHEMES):
            return f"[{content}](<{str(node.attrs['href']).replace('&', '&amp;').replace('$', '%24')}>)"
    return f"{mark}{content}{mark}"


_MARKS = {"em": "*", "strong": "**", "s": "~~"}
