from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.training.environment import code_digests, network_code

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {
    "__init__.py": "import models.shared",
    "shared.py": "",
    "cnn.py": "import numpy, models.blocks\nfrom models.parts.deep import pool",
    "blocks.py": "def block():\n    from . import _norms",
    "_norms.py": "from .cnn import build",
    "parts/__init__.py": "",
    "parts/deep.py": "from ..far import one",
    "far.py": "",
    "rnn.py": "from models import blocks\nfrom cnn import build",
    "broken.py": "def build(:",
    "notes.txt": "",
}


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    """A package that stands in for `models`."""
    for name, source in SOURCES.items():
        (tmp_path / "models" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "models" / name).write_text(source)
    return tmp_path / "models"


def own(name: str, networks: Path) -> set[str]:
    return {part.removeprefix("models/") for part in network_code(name, networks)}


class TestCodeDigests:
    def test_are_of_what_turns_clips_into_numbers(self):
        names = set(code_digests())
        assert {"tracker/features", "tracker/training", "models/__init__.py", "models/cnn.py"} < names
        assert not names & {"tracker/cli", "tracker/render", "tracker/data", "models/__pycache__"}

    def test_are_the_same_each_time(self):
        assert code_digests() == code_digests()

    def test_leave_out_what_is_no_code(self, networks):
        before = code_digests(networks=networks)
        (networks / "notes.txt").write_text("else")
        (networks / "__pycache__").mkdir()
        (networks / "__pycache__/cnn.pyc").touch()
        assert code_digests(networks=networks) == before

    @pytest.mark.parametrize(("file", "name"), [("cnn.py", "models/cnn.py"), ("parts/deep.py", "models/parts")])
    def test_change_with_a_single_character(self, networks, file, name):
        before = code_digests(networks=networks)
        (networks / file).write_text(f"{SOURCES[file]} ")
        after = code_digests(networks=networks)
        assert {key for key in before if before[key] != after[key]} == {name}

    def test_change_with_a_file_that_comes_or_goes_or_is_called_otherwise(self, networks):
        digests = [code_digests(networks=networks)["models/parts"]]
        (networks / "parts/new.py").touch()
        digests.append(code_digests(networks=networks)["models/parts"])
        (networks / "parts/new.py").rename(networks / "parts/old.py")
        digests.append(code_digests(networks=networks)["models/parts"])
        assert len(set(digests)) == 3


class TestNetworkCode:
    def test_is_its_module_and_what_that_imports_in_turn(self, networks):
        assert own("cnn", networks) == {
            *("__init__.py", "shared.py", "cnn.py", "blocks.py", "_norms.py", "parts", "far.py")
        }

    def test_leaves_out_other_networks(self, networks):
        assert own("far", networks) == {"__init__.py", "shared.py", "far.py"}

    def test_takes_a_module_that_is_no_python_as_it_is(self, networks):
        assert own("broken", networks) == {"__init__.py", "shared.py", "broken.py"}

    def test_of_one_that_is_not_there_is_what_all_have(self, networks):
        assert own("gone", networks) == {"__init__.py", "shared.py"}

    def test_of_the_default_network_is_there(self):
        assert {"models/__init__.py", "models/cnn.py"} <= network_code("cnn")
