"""What people read speaks plain English: the phrases that give the old dialect away do not come back."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

DIALECT = re.compile(
    r"told from|tell(s|ing)? from|c[ao]me to nothing|said of|c[ao]me by\b|\bcomes? of\b|go(es|ing)? on with"
    r"|went on with|\banew\b|(?-i:[Nn]one where)|the luck of|as often as (one|you) likes?|to be had|\bright on\b"
    r"|\b(has|have|gets?) right\b|classified right|clips right|\bat most [^.]* left\b|what came out"
    r"|cannot be (told|said)\b|these runs cannot tell|hangs on|no finite number|more than chance gives"
    r"|judge[sd]? [^.]* otherwise|\bsettles\b|would (settle|resolve)\b"
    r"|\d[ \u00a0\u202f]%(?![\w(])",
    re.IGNORECASE,
)
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


def modules() -> list[Path]:
    return sorted([*(ROOT / "tracker").rglob("*.py"), *(ROOT / "models").rglob("*.py")])


def templates() -> list[Path]:
    return sorted((ROOT / "reports" / "templates").rglob("*.j2"))


def strings(path: Path) -> Iterator[str]:
    """Yield every string of a module, its docstrings among them; HTML comments mark places and are not read."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield " ".join(re.sub("<!--.*?-->", "", node.value).split())


def test_strings_and_docstrings_are_free_of_the_old_dialect() -> None:
    assert [(path.name, text) for path in modules() for text in strings(path) if DIALECT.search(text)] == []


def test_templates_are_free_of_the_old_dialect() -> None:
    words = {path: re.sub(r"\{[%#].*?[%#]\}", "", path.read_text(), flags=re.DOTALL) for path in templates()}
    assert [(path.name, match.group()) for path in words for match in DIALECT.finditer(words[path])] == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_free_of_the_old_dialect(page: str) -> None:
    prose = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    assert [match.group() for match in DIALECT.finditer(prose)] == []
