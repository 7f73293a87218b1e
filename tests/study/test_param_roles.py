from __future__ import annotations

import pytest

from tracker.runs import Role
from tracker.study.options import design_of, terms_of
from tracker.study.param_roles import BY_NAME, NamedParams, UnknownParamError, param_roles


class TestRoleByName:
    @pytest.mark.parametrize(
        "name",
        [
            "seed", "SEED", "Seed", "randomSeed", "random_state", "svc__random_state", "seed_everything", "torch.seed",
            "repeat", "rep", "Repetition", "replicate", "repeat_id", "rep_idx",
        ],
    )  # fmt: skip
    def test_role_of_what_repeats_the_training_is_seed(self, name: str) -> None:
        assert BY_NAME.of(name) is Role.SEED

    @pytest.mark.parametrize("name", ["fold", "Fold", "cv_fold", "fold_id", "kfold", "foldNumber", "split_index"])
    def test_role_of_a_fold_is_split(self, name: str) -> None:
        assert BY_NAME.of(name) is Role.SPLIT

    @pytest.mark.parametrize(
        "name",
        [
            "git_sha", "git_commit", "Commit", "config_hash", "date", "start_time", "ckpt_path", "output_dir", "logDir",
            "job_id", "SLURM_JOB_ID", "wandb_id", "run_id", "exp_name", "hostname", "gpu", "created_at", "notes",
        ],
    )  # fmt: skip
    def test_role_of_bookkeeping_is_none_of_an_option(self, name: str) -> None:
        assert BY_NAME.of(name) is Role.COMMAND

    @pytest.mark.parametrize(
        "name",
        [
            "lr", "n_folds", "num_repeats", "data_path", "model_name_or_path", "train_size", "duration", "rank",
            "hash_bits", "max_time", "model_id", "seed_length", "split_ratio", "name", "trial", "größe",
            "representation", "",
        ],
    )  # fmt: skip
    def test_role_of_anything_else_is_configuration(self, name: str) -> None:
        assert BY_NAME.of(name) is Role.CONFIGURATION


def options_of(*runs: dict[str, str]) -> tuple[str, ...]:
    return design_of(runs).options


class TestParamRoles:
    def test_a_trial_that_runs_share_repeats_the_training(self) -> None:
        design = design_of([{"depth": depth, "trial": trial} for depth in "24" for trial in "01"])
        assert design.options == ("depth",)
        assert design.terms[0].seed == (("trial", "0"),)

    def test_a_trial_that_each_run_has_of_its_own_is_no_option_and_no_seed(self) -> None:
        design = design_of([{"depth": depth, "trial": depth} for depth in "2468"])
        assert design.options == ("depth",)
        assert design.terms[0].seed == ()

    @pytest.mark.parametrize(
        "values",
        [
            ["3f2a9c1", "b77d01e", "0c9e4aa", "91ffe02"],
            ["brave-owl-12", "calm-fox-3", "odd-elk-440", "red-hen-7"],
            ["/data/a.pt", "/data/b.pt", "/data/c.pt", "/data/d.pt"],
            [f"tried this on day {day}" for day in "abcd"],
            [f"2026-01-0{day} 10:00" for day in "1234"],
        ],
    )
    def test_text_that_was_made_up_for_each_run_is_no_option(self, values: list[str]) -> None:
        assert options_of(*({"lr": lr, "x": x} for lr, x in zip(["1", "1", "2", "2"], values, strict=True))) == ("lr",)

    @pytest.mark.parametrize(
        "values",
        [["cnn", "crnn", "resnet18", "vit"], ["0.3", "0.41", "0.57", "0.9"], ["3f2a9c1", "b77d01e", "0c9e4aa"]],
    )
    def test_words_and_numbers_and_few_texts_stay_options(self, values: list[str]) -> None:
        assert options_of(*({"x": x} for x in values)) == ("x",)

    def test_what_a_search_found_and_where_it_looked_is_no_option_beside_its_model(self) -> None:
        forest = {"estimator": "Forest()", "param_grid": "{'trees': [5, 20]}", "best_trees": "20"}
        machine = {"estimator": "SVC()", "param_grid": "{'C': [1, 10]}", "best_C": "10"}
        assert options_of(forest, machine) == ("estimator",)
        assert options_of(machine, machine | {"param_grid": "{'C': [0.1, 100]}"}) == ("param_grid",)

    def test_networks_named_by_their_files_stay_an_option(self) -> None:
        assert options_of(*({"backbone": f"/nets/{x}.pt"} for x in "abcd")) == ("backbone",)

    def test_a_name_of_each_run_is_no_option_beside_one(self) -> None:
        assert options_of(*({"imgsz": size, "name": f"size {size}"} for size in "123")) == ("imgsz",)

    def test_a_name_of_each_configuration_is_no_option_beside_it(self) -> None:
        runs = [{"lr": lr, "seed": seed, "exp_name": f"at {lr}"} for lr in "12" for seed in "01"]
        assert options_of(*runs) == ("lr",)

    def test_a_name_that_alone_sets_runs_apart_is_an_option(self) -> None:
        runs = [{"exp_name": name, "seed": seed} for name in ("resnet", "vgg") for seed in "01"]
        assert options_of(*runs) == ("exp_name",)

    def test_named_params_are_what_they_are_said_to_be(self) -> None:
        named = NamedParams(seed_params=("subject",), option_params=("gpu",), ignore=("lr",))
        runs = [{"subject": "1", "gpu": "0", "lr": "1"}, {"subject": "2", "gpu": "1", "lr": "2"}]
        design = design_of(runs, roles=param_roles(runs, named))
        assert design.options == ("gpu",)
        assert design.terms[0].seed == (("subject", "1"),)


class TestNamedParams:
    @pytest.mark.parametrize(
        ("named", "argument", "hint"),
        [
            (NamedParams(seed_params=("sed",)), "seed_params", "did you mean SEED"),
            (NamedParams(ignore=("wholly other",)), "ignore", "logged are lr, SEED"),
            (NamedParams(ignore=("lr",), option_params=("lr",)), "ignore", "both an option and ignored"),
        ],
    )
    def test_check_refuses_names_that_no_run_logged_or_that_contradict(
        self, named: NamedParams, argument: str, hint: str
    ) -> None:
        with pytest.raises(UnknownParamError, match=hint) as raised:
            named.check([{"SEED": "0", "lr": "1"}])
        assert raised.value.argument == argument


class TestTermsOfObjects:
    def test_a_pipelines_steps_are_its_classes_because_their_params_are_the_options(self) -> None:
        runs = [
            {
                "svc": f"SVC(C={c}, kernel=rbf('x'))",
                "svc__C": c,
                "steps": f"[('standardscaler', StandardScaler()), ('svc', SVC(C={c}, kernel=rbf('x')))]",
            }
            for c in ("1", "2")
        ]
        assert options_of(*runs) == ("svc__C",)
        assert dict(terms_of(runs[0]).levels)["steps"] == "StandardScaler+SVC"

    def test_an_object_whose_params_were_not_logged_keeps_its_text(self) -> None:
        assert options_of({"base": "Tree(depth=1)"}, {"base": "Tree(depth=2)"}) == ("base",)

    def test_where_an_object_lay_in_memory_is_no_part_of_its_level(self) -> None:
        runs = [
            {"loss": f"<losses.Focal object at 0x7f{digit}>", "f": f"<function relu at 0x{digit}>"} for digit in "12"
        ]
        assert options_of(*runs) == ()
        assert dict(terms_of(runs[0]).levels) == {"loss": "losses.Focal", "f": "relu"}
