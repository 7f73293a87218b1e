"""`tracker sweep`: two runs for real, and what is refused before anything is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
import typer.main

import tracker as api
from tests.running import TINY_NETWORK, Collected
from tracker.cli.app import app
from tracker.journal.process_lock import locking
from tracker.journal.reader import journals
from tracker.runs.facts import training_plan

if TYPE_CHECKING:
    from tests.running import Tracker


@pytest.mark.xdist_group("keras")
class TestASweep:
    def test_what_is_there_stays_and_the_rest_is_trained(self, tracker: Tracker, genres: Path) -> None:
        words = ("sweep", "--data", genres, "--model", TINY_NETWORK, "--epochs", "1", "--segment", "0.5", "--jobs", "1")
        first = tracker(*words, "--kernel", "3")
        assert first.status == 0, first.err
        assert "1 run; 1 to train; how long that takes isn't known yet" in first.err
        both = tracker(*words, "--kernel", "3,5", "--final")
        assert "2 runs (2 configurations, each once); 1 there already; 1 to train" in both.err
        assert both.out.splitlines()[0] == first.out.strip()
        assert "2/2  networks-tiny-k5-lr0.001-epochs1-seg0.5-s0: validation accuracy " in both.err

        seeds = tracker("run", *words[1:], "--kernel", "3", "--seeds", "2")
        assert "2 runs (1 configuration, each 2 times); 1 there already; 1 to train" in seeds.err
        assert seeds.out.splitlines()[0] == first.out.strip()

        again = api.sweep(
            genres, model=TINY_NETWORK, kernel_size=[3, 5], epochs=1, segment_s=0.5, reporter=Collected(), final=True
        )
        assert [run.run_id for run in again.runs] == both.out.split()
        plans = [training_plan(run.tags) for run in again.runs]
        assert plans[0] is not None
        assert plans[1] is not None
        assert (plans[0].is_final, plans[1].is_final) == (False, True)
        assert plans[0].id != plans[1].id


class TestCommands:
    def test_the_commands_of_docs_scale_are_read(self) -> None:
        text = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()
        lines = [line for line in text.splitlines() if line.startswith("tracker sweep ")]
        command = typer.main.get_command(app).commands["sweep"]
        read = [command.make_context("sweep", line.split()[2:]).params for line in lines]
        assert [one["backend"] for one in read] == ["dask", "ray", "dask"]
        for block in re.findall("```python\n(.*?)```", text, re.DOTALL):
            compile(block, "docs/scale.md", "exec")


class TestBadInput:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--kernel", "3,3"], "each level of the kernel size must be given once, got 3 twice"),
            (["--kernel", ","], "a level is empty in ','"),
            (["--kernal", "3"], "there is no option --kernal; did you mean --kernel?"),
            (["--seed", "1,2", "--seeds", "3"], "give --seeds or several of --seed, not both"),
            (["writeup", "--kernel", "3"], "the kernel size is set by the configurations already"),
            (["nosuch.toml"], "there is no file nosuch.toml: give a TOML file, writeup or options"),
            (["sweep.toml"], "sweep.toml, line 2: the kernel size must be 1 to 255, got 0"),
            (["sweep.toml", "--lr", "1"], "--lr cannot be given beside sweep.toml: what is trained stands there"),
            (
                ["--keras-backend", "jax,tensorflow"],
                "a sweep trains with one Keras backend, got jax and tensorflow",
            ),
            (["--dropout", "0.1,2"], "option dropout must be at least 0 and below 1, got 2"),
        ],
    )
    def test_bad_input_is_one_line(self, tracker: Tracker, genres: Path, words: list[str], message: str) -> None:
        (genres.parent / "work" / "sweep.toml").write_text("\ufeff[grid]\nkernel = [0]\n", encoding="utf-8")
        result = tracker("sweep", "--data", genres, *words)
        assert (result.status, result.out) == (2, "")
        assert message in result.err.splitlines()[-1]

    def test_one_sweep_at_a_time_trains_in_a_folder(self, tracker: Tracker, genres: Path) -> None:
        folder = genres.parent / "work" / ".tracker"
        folder.mkdir()
        with locking(folder / "sweep.lock"):
            result = tracker("sweep", "--data", genres, "--kernel", "3")
        assert result.status == 1
        assert "another sweep is training in" in result.err
        assert not len(journals(folder))

    def test_a_dry_run_names_the_runs_and_trains_nothing(self, tracker: Tracker, genres: Path) -> None:
        result = tracker("sweep", "writeup", "--data", genres, "--seeds", "2", "--dry-run")
        assert result.status == 0, result.err
        assert len(result.out.split()) == 8
        assert not len(journals(genres.parent / "work" / ".tracker"))
