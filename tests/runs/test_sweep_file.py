from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracker.runs import Plateau
from tracker.runs.sweep_file import parse_sweep
from tracker.training.networks import parse_options

README = Path(__file__).parents[2] / "README.md"

WHOLE = """
data = "genres/"
experiment = "kernels"
seeds = 6
folds = 5
final = true

[base]
epochs = 40  # most

[grid]
kernel = [3, 5, 7]
plateau = ["off", [0.3, 10]]
"""


class TestFile:
    def test_a_grid_is_read(self) -> None:
        found = parse_sweep(WHOLE, "sweep.toml")
        assert found.settings == {"data": "genres/", "experiment": "kernels"}
        assert found.plan.configurations == ({"epochs": 40},)
        assert found.plan.grid == {"kernel_size": (3, 5, 7), "plateau": (None, Plateau(0.3, 10))}
        assert (found.plan.seeds, found.plan.folds, found.plan.is_final) == (tuple(range(6)), 5, True)

    def test_configurations_are_read_over_the_base(self) -> None:
        text = "seeds = [1, 4]\n[base]\nlr = 1e-4\n[[configurations]]\n[[configurations]]\nlr = 1e-3\nplateau='0.3,10'"
        plan = parse_sweep(text, "f").plan
        assert plan.configurations == ({"learning_rate": 1e-4}, {"learning_rate": 1e-3, "plateau": Plateau(0.3, 10)})
        assert plan.seeds == (1, 4)

    def test_the_example_of_the_readme_is_read(self) -> None:
        (example,) = re.findall(r"```toml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
        plan = parse_sweep(example, "kernels.toml").plan
        assert len(plan.grid["kernel_size"]) * len(plan.grid["plateau"]) * len(plan.seeds) == 36

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "[[configurations]]\nlr = 2\n[[configurations]]\nlr = 1\n[[configurations]]\nlr = 2\nepochs = 60",
                "f, line 5: a configuration is given twice, in line 1 already: k3-lr2-",
            ),
            ("configurations = [{kernel = 3}, {kernel = 3}]", "f, line 1: a configuration is given twice: k3-"),
            ("[base]\nlr = 1\n[grid]\ndrop = [0.1, 0.2]", "f, line 3: the model cnn has no option 'drop'"),
            ("[base]\ndrop = 1", "f, line 1: the model cnn has no option 'drop'"),
            ("[grid]\ndropout = [0.1, '0.10']", "f, line 1: a configuration is given twice: k3-"),
        ],
    )
    def test_so_does_an_error_about_a_whole_configuration(self, text: str, message: str) -> None:
        plan = parse_sweep(text, "f").plan
        with pytest.raises(ValueError) as error:
            plan.runs(parse_options)
        assert str(error.value).startswith(message)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("seeds = ", "f, line 1: it is no TOML: Invalid value"),
            ("a = 1\na = 2", "f, line 2: it is no TOML: Cannot overwrite a value"),
            ("kernel_size = [3]", "f, line 1: a sweep has no kernel_size; options stand under [base] or [grid]: move "),
            ("jobs = 3", "f, line 1: a sweep has no jobs; give --jobs on the command line"),
            ("\nseed = 3", "f, line 2: a sweep has no seed; did you mean seeds?"),
            ("seeds = 0", "f, line 1: the number of seeds must be 1 to 10,000, got 0"),
            ("final = 1", "f, line 1: final must be true or false, got 1"),
            ("data = 1", "f, line 1: data must be a text, got 1"),
            ("data = ''", "f, line 1: data is empty: leave it out"),
            ("'' = 1", "f, line 1: a sweep has no ''; it may have data, "),
            (f"seeds = {'9' * 5_000}", "f: it has a number of too many digits"),
            (f"seeds = {'[' * 5_000}", "f: its lists or tables are nested too deep"),
            ("[grid]\nkernel = [3.0]", "f, line 2: the kernel size must be a whole number, got 3.0"),
            ("folds = 5.0", "f, line 1: the number of folds must be a whole number, got 5.0"),
            ('experiment = "a\\nb"', "f, line 1: experiment must be a text of one line, got 'a\\nb'"),
            ("grid = 3", "f, line 1: grid must be a table, begun by [grid], got 3"),
            ("[grid]\nkernel = []", "f, line 2: the kernel size must have at least one level, got none"),
            ("[grid]\nkernel = [3, 3]", "f, line 2: each level of the kernel size must be given once, got 3 twice"),
            ("[grid]\nkernel = 3", "f, line 2: kernel must be a list of levels, got 3"),
            ("[grid]\nkernel = [3]\nkernel_size = [5]", "f, line 3: kernel_size is given twice: leave kernel_size out"),
            ("[grid]\nseed = [3]", "f, line 2: seed is no option of a configuration: seeds and folds stand above the "),
            ("[base]\nlr = 1\n[grid]\nepochs = [1]\nlr = [1]", "f, line 5: learning_rate is under [base] too: leave "),
            ("[base]\nkernel = 'x'", "f, line 2: the kernel size must be a whole number, got 'x'"),
            ("[[configurations]]\nlr = 1\n[[configurations]]\nlr = -1", "f, line 4: the learning rate must be above 0"),
            ("configurations = []", "f, line 1: configurations must be tables, each begun by [[configurations]]"),
            ("[grid]\nlr = [1]\n[[configurations]]\nlr = 1", "f, line 1: give [grid] or [[configurations]], not both"),
            ("folds = 2\n[grid]\nfold = ['1/2']", "f, line 1: give the number of folds or the fold, not both"),
        ],
    )
    def test_an_error_names_the_file_and_the_line(self, text: str, message: str) -> None:
        with pytest.raises(ValueError) as error:
            parse_sweep(text, "f")
        assert str(error.value).startswith(message)
