"""What stands beside a model that leaves tracker: its card, and a script that predicts with it alone.

The card is Markdown with metadata in YAML, as model hubs read it.

References
----------
https://huggingface.co/docs/hub/model-cards (the metadata, ``model-index`` among it)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Literal

from tracker.bundled import TEMPLATES
from tracker.render import sanitize
from tracker.render.documents import markdown_environment, tidy

ModelForm = Literal["keras", "tflite", "onnx"]

FILES: dict[ModelForm, str] = {"keras": "model.keras", "tflite": "model.tflite", "onnx": "model.onnx"}


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model's card says; sentences may be other people's in part."""

    name: str
    labels: tuple[str, ...]
    verdict: str  # the finding of the report
    standing: str  # whether this model's configuration is the one that it is about
    results: tuple[str, ...]
    limits: tuple[str, ...]
    data: tuple[tuple[str, str], ...]  # names and fingerprints
    metrics: tuple[tuple[str, float], ...]  # of `model-index`, fractions
    data_name: str
    fingerprint: str
    seconds: str  # of a segment
    shape: tuple[int, int]  # of its image: bands and frames
    images: tuple[str, str]  # their kind, and what their numbers are
    licences: tuple[tuple[str, str], ...] = ()  # of weights that it started from: whose they are, and their notice


def render_card(card: ModelCard, form: ModelForm) -> str:
    """Return a model's card as Markdown."""
    template = markdown_environment().get_template("model/README.md.j2")
    text = template.render(
        front=sanitize.plain(_front_matter(card)),
        name=card.name,
        labels=card.labels,
        verdict=card.verdict,
        standing=card.standing,
        results=card.results,
        limits=card.limits,
        data=card.data,
        commands="pip install -r requirements.txt\npython predict.py song.wav",
        file=sanitize.plain(FILES[form]),
        seconds=sanitize.plain(card.seconds),
        images=tuple(map(sanitize.plain, card.images)),
        licences=card.licences,
        shape=sanitize.plain("×".join(map(str, (*card.shape, 1)))),
    )
    return tidy(text)


def _front_matter(card: ModelCard) -> str:
    """Return the metadata: YAML of which every text is quoted as JSON quotes it."""
    lines = ["---", "library_name: keras", "pipeline_tag: audio-classification", "tags:", "- audio-classification"]
    if card.metrics:
        lines += ["model-index:", f"- name: {_quoted(card.name)}", "  results:", "  - task:",
                  "      type: audio-classification", "    dataset:", f"      name: {_quoted(card.data_name)}",
                  f"      type: {_quoted(card.data_name)}", f"      revision: {_quoted(card.fingerprint)}",
                  "    metrics:"]  # fmt: skip
        for name, value in card.metrics:
            lines += ["    - type: accuracy", f"      name: {_quoted(name)}", f"      value: {value!r}"]
    return "\n".join([*lines, "---"])


def _quoted(text: str) -> str:
    return json.dumps(text)


def predicting_script(form: ModelForm, features: str) -> str:
    """Return a script that predicts audio files with a model that stands beside it, by the kind of its features."""
    imports, _, load = _read(f"{form}.py.txt").partition("# ----\n")
    parts = {"imports": imports, "load": load, "segments": segments_code(features)}
    return Template(_read("predict.py.txt")).substitute({name: text.rstrip() for name, text in parts.items()})


def function_of_clips(features: str) -> str:
    """Return a module that MLflow loads a model by, as a function of audio files, by the kind of its features."""
    return Template(_read("clip_model.py.txt")).substitute(segments=segments_code(features).rstrip())


def segments_code(features: str) -> str:
    """Return the function that makes a clip into what a model takes, with librosa and NumPy alone."""
    image = _read(f"features/{features}.py.txt").rstrip()
    return Template(_read("segments.py.txt")).substitute(image=image)


@cache
def _read(name: str) -> str:
    return (TEMPLATES / "model" / name).read_text(encoding="utf-8")
