"""The way data flows is the way the folders read: imports point down only."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.structure import circles, dependencies, read

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]

LEVELS = (
    ("printable",),
    ("errors",),
    ("runs", "statistics", "replay"),
    ("study",),
    ("wording",),
    ("conclusions",),
    ("audit", "answers", "next_steps"),
    ("report",),
)
"""The pure core, from the bottom up: each room imports what stands before it."""
PURE = {room for level in LEVELS for room in level}
FILES = {"atomic_files", "contained_files", "delimited", "errors", "printable"}
EDGES = {"data", "features", "training", "journal", "store", "table", "figures", "render"}
BELOW = {room: {name for level in LEVELS[:i] for name in level} for i, level in enumerate(LEVELS) for room in level} | {
    "contained_files": set(),
    "delimited": set(),
    "atomic_files": FILES,
    "data": {"runs"} | FILES,
    "features": {"runs"} | FILES,
    "bundled": set(),
    "late_imports": set(),
    "training": {"features", "data", "runs", "statistics", "bundled", "late_imports"} | FILES,
    "journal": {"runs"} | FILES,
    "store": {"runs", "late_imports"} | FILES,
    "table": {"runs", "statistics", "study"} | FILES,
    "figures": PURE,
    "render": PURE | {"bundled"},
    "__init__": {"api", "errors", "recording", "replay", "runs", "statistics"},
    "api": EDGES | PURE | {"recording", "atomic_files", "contained_files"},
    "recording": EDGES | PURE | {"atomic_files", "contained_files", "late_imports"},
    "__main__": {"cli", "late_imports"},
    "cli": EDGES | PURE | {"api", "recording", "atomic_files", "contained_files", "late_imports"},
}
ONLY_IN = {
    "librosa": {"features"},
    "keras": {"training"},
    "tensorflow": {"training"},
    "models": set(),  # its modules are loaded by file, as a user's own are
    "mlflow": {"store"},
    "yaml": {"store"},
    "jinja2": {"render"},
    "typst": {"render"},
    "reports": set(),
    "matplotlib": set(),  # its typeface is read, nothing else
    "resvg_py": {"figures"},
    "PIL": {"figures"},
    "pyarrow": {"table"},
    "typer": {"cli"},
    "rich": {"cli"},
}
PURE_MAY_IMPORT = {
    "__future__", "bisect", "collections", "dataclasses", "difflib", "enum", "functools", "hashlib", "importlib",
    "itertools", "json", "math", "numpy", "operator", "re", "scipy", "shlex", "statistics", "string", "tomllib",
    "typing", "unicodedata",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted((ROOT / "tracker").rglob("*.py"))


def room(path: Path) -> str:
    first = path.relative_to(ROOT / "tracker").parts[0]
    return first.removesuffix(".py")


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Return what of a module's syntax tree tests look at: imports and constants."""
    tree = ast.walk(ast.parse(path.read_text()))
    return [node for node in tree if isinstance(node, ast.Import | ast.ImportFrom | ast.Constant)]


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the dotted names that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def rooms_of(names: frozenset[str]) -> set[str]:
    return {parts[1] for name in names if (parts := name.split("."))[0] == "tracker" and len(parts) > 1} - {
        "__version__"
    }


def offences(found: Callable[[Path], set[str]]) -> dict[str, set[str]]:
    """Return what is found in each module that has any of it."""
    return {str(path.relative_to(ROOT)): names for path in modules() if (names := found(path))}


class TestArrows:
    def test_imports_point_down_only(self) -> None:
        assert not offences(lambda path: rooms_of(imported(path)) - BELOW.get(room(path), set()) - {room(path)})

    def test_each_heavy_library_has_one_room(self) -> None:
        assert not offences(lambda path: {top for top in tops(path) & set(ONLY_IN) if room(path) not in ONLY_IN[top]})

    def test_the_pure_core_knows_no_files_clock_or_network(self) -> None:
        assert not offences(lambda path: tops(path) - PURE_MAY_IMPORT - {"tracker"} if room(path) in PURE else set())


class TestModules:
    def test_no_modules_import_each_other_in_a_circle(self) -> None:
        assert circles(dependencies(read(ROOT, ["tracker"]))) == []


def string_constants(path: Path) -> set[str]:
    return {node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


class TestStoreDoor:
    """A second store touches one folder: nobody else knows MLflow's tags, or what lies behind the store's door."""

    def test_store_door_only_the_store_knows_mlflow_tags(self) -> None:
        def tags(path: Path) -> set[str]:
            return {text for text in string_constants(path) if re.search(r"\bmlflow\.(?!db\b)", text)}

        assert not offences(lambda path: tags(path) if room(path) != "store" else set())

    def test_other_rooms_import_the_door_of_the_store_alone(self) -> None:
        def behind(path: Path) -> set[str]:
            return {name for name in imported(path) if name.startswith("tracker.store.") and name.count(".") > 2}

        assert not offences(lambda path: behind(path) if room(path) != "store" else set())

    def test_files_are_replaced_in_one_module(self) -> None:
        replacing = {
            path.relative_to(ROOT / "tracker").as_posix()
            for path in modules()
            if re.search(r"\.replace\(\w+\)$|os\.replace|\.rename\(", path.read_text(), re.MULTILINE)
        }
        assert replacing == {"atomic_files.py", "store/database.py"}  # which sets a broken store aside


class TestCollection:
    def test_collection_imports_no_library_that_few_tests_need(self, modules_of_collection: frozenset[str]) -> None:
        few = {"keras", "tensorflow", "statsmodels", "sklearn", "matplotlib", "playwright"}
        assert not modules_of_collection & few  # ten seconds, for every worker


class TestContributing:
    def test_names_every_room_and_every_module_beside_them(self) -> None:
        page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        rooms = {path.parent.name if path.name == "__init__.py" else path.name for path in modules()
                 if len(path.relative_to(ROOT / "tracker").parts) == 1 + (path.name == "__init__.py")}  # fmt: skip
        named = {f"{one}/" if "." not in one else one for one in rooms - {"__main__.py"}}
        assert {one for one in named if f"`{one}`" not in page} == set()

    def test_every_target_exists_and_every_benchmark_that_has_one_is_named(self) -> None:
        page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = dict(re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)*)", makefile, re.MULTILINE))
        named = {target for text in (page, (ROOT / "README.md").read_text(encoding="utf-8"))
                 for target in re.findall(r"`make ([a-z-]+)`", text)}  # fmt: skip
        assert named - targets.keys() == set()
        assert {target for target, recipe in targets.items() if "-m bench." in recipe} - named == set()
