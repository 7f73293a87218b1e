"""How the code is cut: modules, bodies, private helpers used once, imports and circles, of one tree or of two.

    python bench/structure.py [--rev REV] [--against REV] [FOLDER ...]

Reads `tracker/` and `models/` unless folders are named; `--rev` measures a commit instead of the working tree, and
`--against` prints a second commit in a column before it. Lines are counted as they lie in the files. A body is what
follows a function's docstring. Circles count every import, those under `TYPE_CHECKING` too; of a package's
`__init__.py` only those that importing it runs, since a lazy door names all that it may open.
"""

from __future__ import annotations

import argparse
import ast
import math
import statistics
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[1]
FOLDERS = ("tracker", "models")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, its lines, and its syntax."""

    name: str
    lines: int
    tree: ast.Module
    is_package: bool

    @property
    def functions(self) -> list[Function]:
        """All functions and methods, nested ones too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @property
    def import_lines(self) -> int:
        """Lines of import statements and of ``if TYPE_CHECKING:``."""
        return sum(_lines(node) for node in _imports(self.tree)) + sum(_is_types_only(node) for node in self.tree.body)

    def used_once(self) -> Iterator[Function]:
        """Yield the private functions of the module that one other place in it names."""
        own = [node for node in self.tree.body if isinstance(node, Function) and node.name.startswith("_")]
        uses = Counter(_names(self.tree))
        return (node for node in own if uses[node.name] - Counter(_names(node))[node.name] == 1)


def read(root: Path, folders: Sequence[str]) -> list[Module]:
    """Return the modules below `root`, in the order of their names."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return [_module(root, path) for path in paths]


def at_revision(revision: str, folders: Sequence[str]) -> list[Module]:
    """Return the modules of a commit."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        return read(Path(folder), folders)


def measure(modules: Sequence[Module]) -> dict[str, str]:
    """Return the rows of the table for one tree."""
    bodies = [_body(function) for module in modules for function in module.functions]
    lengths = [module.lines for module in modules]
    once = [function for module in modules for function in module.used_once()]
    lines, imports = sum(lengths), sum(module.import_lines for module in modules)
    graph = dependencies(modules)
    return {
        "modules": f"{len(modules):,}",
        "lines": f"{lines:,}",
        "module lines, median / 90th percentile": _spread(lengths),
        "modules under 50 / 100 lines": f"{sum(n < 50 for n in lengths)} / {sum(n < 100 for n in lengths)}",
        "functions": f"{len(bodies):,}",
        "body lines, median / 90th percentile / longest": f"{_spread(bodies)} / {max(bodies)}",
        "private functions used once": f"{len(once):,} ({sum(_lines(function) for function in once):,} lines)",
        "import lines": f"{imports:,} ({imports / lines:.1%})",
        "circles of modules": _circles(graph),
        "circles of rooms": _circles(_by_room(graph)),
    }


def dependencies(modules: Sequence[Module]) -> Graph:
    """Return which modules of the tree each module imports."""
    names = {module.name for module in modules}
    return {module.name: set(_targets(_dependencies(module), names)) - {module.name} for module in modules}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other, largest first."""
    reach = {node: _reachable(graph, node) for node in graph}
    groups = {frozenset({node} | {other for other in reach[node] if node in reach.get(other, ())}) for node in graph}
    return sorted((sorted(group) for group in groups if len(group) > 1), key=lambda group: (-len(group), group))


def _module(root: Path, path: Path) -> Module:
    text = path.read_text()
    name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    return Module(name, len(text.splitlines()), ast.parse(text), is_package=path.name == "__init__.py")


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _body(function: Function) -> int:
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def _is_types_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _dependencies(module: Module) -> Iterator[ast.Import | ast.ImportFrom]:
    if not module.is_package:
        return _imports(module.tree)
    return (node for node in module.tree.body if isinstance(node, ast.Import | ast.ImportFrom))


def _targets(imports: Iterator[ast.Import | ast.ImportFrom], names: set[str]) -> Iterator[str]:
    """Yield the tree's modules that are imported: of ``from package import name`` the sub-module where there is one."""
    for node in imports:
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        else:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            dotted = [name if name in names else node.module or "" for name in inner]
        yield from (name for name in dotted if name in names)


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += graph.get(node, set())
    return seen


def _by_room(graph: Graph) -> Graph:
    rooms: Graph = {}
    for module, targets in graph.items():
        here = _room(module)
        rooms.setdefault(here, set()).update({_room(target) for target in targets} - {here})
    return rooms


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _circles(graph: Graph) -> str:
    groups = circles(graph)
    return "; ".join([f"{len(groups)}", *(" ↔ ".join(group) for group in groups)])


def _spread(values: Sequence[int]) -> str:
    ninetieth = sorted(values)[math.ceil(0.9 * len(values)) - 1]
    return f"{statistics.median(values):.0f} / {ninetieth}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rev", help="a commit to measure instead of the working tree")
    parser.add_argument("--against", help="a commit to print beside it, in the first column")
    parser.add_argument("folders", nargs="*", default=FOLDERS, help="folders to read (default: tracker models)")
    args = parser.parse_args()
    trees = {args.rev or "working tree": at_revision(args.rev, args.folders) if args.rev else read(ROOT, args.folders)}
    if args.against:
        trees = {args.against: at_revision(args.against, args.folders)} | trees
    columns = [measure(modules) for modules in trees.values()]
    print("| | " + " | ".join(trees) + " |")
    print("| --- |" + " ---: |" * len(trees))
    for row in columns[0]:
        print("| " + " | ".join([row, *(column[row] for column in columns)]) + " |")


if __name__ == "__main__":
    main()
