"""Proof that the conclusions do not lie: experiments with known truth, put through the code that the report uses.

    .venv/bin/python -m bench.truth [--experiments 2000] [--seed 0] [--processes 2] [--write docs/truth.md]

A *setting* says what is true and how experiments are laid out. An experiment of it is drawn at random, written as
`tracker.runs.Run` objects with params, tags, metrics, predictions and groups, and concluded from by `study_of`,
`analyse_contrast`, `run_family`, `best_runs` and so on: the functions that `tracker report` calls. What is counted are
verdicts and whether intervals hold the truth; what is only printed beside a verdict, and resampled, is left out but
where its own intervals are looked at. Accuracies and effects are fractions; noise is the standard deviation of a
configuration's accuracy from seed to seed.
"""
