"""Reports as documents: GitHub-flavoured Markdown with its figures beside it, and one HTML file that has everything.

The templates of both media know the same filters (`prose`, `code`, `level`, `note`, `commands`), each escaping for its
own. HTML escapes what passes no filter; Markdown has no such safety net, so that printing text which passed none is an
error there. HTML fetches nothing, and runs no script but our own, if one is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tracker.bundled import TEMPLATES
from tracker.errors import TrackerError
from tracker.render import sanitize
from tracker.render.tables import column_looks, numeric_columns, outcome, training_line
from tracker.render.view_model import MOST_OPEN, arrange, view_comparison
from tracker.study.options import NOT_APPLICABLE
from tracker.wording import begun, capitalised, metric_text, percent, percent_cell, whole_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracker.report import Comparison, Mistake, Panel, Picture, Report, RunEntry

# Levels that need no ``<code>``, as long as Markdown leaves them alone: ``7``, ``1e-4``, ``×0.3 after 10``, ``off``.
_PLAIN_LEVEL = re.compile(r"[A-Za-z0-9.]{1,28}|−?[0-9.]{1,9}(?:e-[0-9]{1,3})?|×[0-9.]{1,9} after [0-9]{1,9}")

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@cache
def markdown_environment() -> Environment:
    """Return the environment of the Markdown templates."""
    environment = _environment(sanitize.code, _escaped_only)
    environment.filters |= {
        "prose": sanitize.prose,
        "alt": sanitize.alt,
        "address": sanitize.plain,  # of characters that nothing acts on
        "id": sanitize.short_code,
        "note": sanitize.note_markdown,
        "body": sanitize.body_markdown,
        "commands": sanitize.fence,
        # indents the lines after the first so that they belong to a list item
        "beside": lambda text, number: sanitize.plain(text.replace("\n", "\n" + " " * len(f"{number}. "))),
    }
    return environment


@cache
def html_environment() -> Environment:
    """Return the environment of the HTML templates."""
    environment = _environment(sanitize.html_code)
    environment.filters |= {
        "prose": sanitize.html_prose,
        "attribute": sanitize.html_attribute,
        "percent": percent,
        "note": sanitize.note_html,
        "commands": sanitize.html_block,
        "drawing": Markup,  # a figure's own markup, escaped where it was drawn
    }
    return environment


def _environment(code: Callable[[str], Markup], finalize: Callable[[object], object] | None = None) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

    def level(text: str) -> Markup:
        is_plain = _PLAIN_LEVEL.fullmatch(text) and sanitize.prose(text) == text
        return escape(text) if is_plain or text == NOT_APPLICABLE else code(text)

    whole = {"whole": lambda number: sanitize.plain(whole_cell(number))}
    environment.globals |= {"open_sections": MOST_OPEN}
    environment.filters |= {
        "code": code,
        "level": level,
        "numeric": numeric_columns,
        "looks": column_looks,
        "begun": begun,
        "capitalised": capitalised,
    } | whole
    return environment


def _escaped_only(value: object) -> object:
    """Let numbers and text that an escaping function returned pass, and nothing else."""
    if isinstance(value, int | Markup):
        return value
    raise TypeError(f"a Markdown template prints text only through an escaping filter, got {value!r}")


def _markdown(name: str, **context: object) -> str:
    return markdown_environment().get_template(f"markdown/{name}.md.j2").render(context)


def tidy(text: str) -> str:
    """Return Markdown without the spaces at line ends and the runs of empty lines that readable templates leave."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def render_markdown(report: Report, pictures: Sequence[Picture], prefix: str = "reports/figures") -> str:
    """Return the report as Markdown.

    `prefix` is the folder of the figures as seen from the report's own, with forward slashes.
    """
    folder = quote(prefix.rstrip("/"))
    text = _markdown(
        "report",
        report=report,
        view=arrange(report, pictures),
        link=lambda picture: sanitize.plain("/".join(filter(None, [folder, _file_name(picture)]))),
    )
    return tidy(text)


def picture_files(pictures: Iterable[Picture]) -> dict[str, str]:
    """Return the files that `render_markdown` links to: name to the drawing that the PNG is made of.

    A name says what the figure shows and ends in a hash of its drawing: the same figure is the same file, and nothing
    of it comes from a run's name.
    """
    return {_file_name(picture): picture.drawing for picture in pictures}


def _file_name(picture: Picture) -> str:
    return f"{picture.name}-{hashlib.sha256(picture.drawing.encode()).hexdigest()[:16]}.png"


def render_comparison(comparison: Comparison) -> str:
    """Return a comparison as Markdown."""
    return tidy(_markdown("comparison", comparison=comparison, view=view_comparison(comparison)))


def render_description(entry: RunEntry) -> str:
    """Return what stands after `tracker.runs.NOTE_END` in a run's description: result, training, how to compare it.

    Some 600 characters of the 8,000 that a tag may have.
    """
    line = training_line(entry)
    return tidy(_markdown("description", outcome=outcome(entry), title=entry.title, training=line, run=entry.run))


def render_verdict(report: Report) -> str:
    """Return a report's finding as a line of Markdown, with the selection of runs that it is about, if there is one."""
    selection = dict(report.facts).get("Selection")
    about = f". Selected: {selection}" if selection else ""
    return str(sanitize.prose(f"{report.title}{about}"))


def render_outcome(entry: RunEntry) -> str:
    """Return a run's result in a line for a terminal: what is correct of how many clips, with its interval."""
    training = training_line(entry)
    return ". ".join(filter(None, [f"{capitalised(outcome(entry))}", training]))


_SECTIONS = (
    ("Conclusions", "answers"),
    ("Data sets", "data_sets"),
    ("Runs", "runs"),
    ("Next steps", "next_steps"),
    ("Challenges", "challenges"),
)  # title and template of each section, the first to be kept first


def render_summary(report: Report, max_bytes: int | None = None) -> str:
    """Return the report's tables and sentences as Markdown, without figures, for a CI job's summary.

    Sections are dropped from the end until the text has at most `max_bytes` in UTF-8, and a last line says which.

    Raises
    ------
    TrackerError
        If not even the title and that last line fit.
    """
    view = arrange(report)
    head, *parts = (_markdown(name, report=report, view=view) for name in ("head", *(name for _, name in _SECTIONS)))
    for kept in range(len(parts), -1, -1):
        left_out, remark = ", ".join(title for title, _ in _SECTIONS[kept:]), ""
        if left_out:
            remark = f"*Left out to stay within {max_bytes} bytes: {left_out}. `tracker report` has them.*"
        text = tidy("\n\n".join([head, *parts[:kept], remark]))
        size = len(text.encode())
        if max_bytes is None or size <= max_bytes:
            return text
    raise TrackerError(f"a summary of this experiment needs at least {size} bytes, not {max_bytes}: raise the limit")


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A clip that runs get wrong, to listen to; or why it can't be played, read after "cannot be played: "."""

    mistake: Mistake
    spectrogram: str = ""  # a drawing; empty if there is none, as the next two
    media_type: str = ""  # as in ``audio/wav``
    data: bytes = b""  # the audio file
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Listening:
    """Clips to listen to, in order, and sentences about what there is none of."""

    sounds: tuple[Sound, ...]
    remarks: tuple[str, ...] = ()


def render_html(
    report: Report,
    pictures: Sequence[Picture],
    stylesheet: str = "",
    listening: Listening | None = None,
    *,
    interactive: bool = False,
) -> str:
    """Return the report as one HTML file, with the stylesheet of its pictures and clips to listen to in order.

    An interactive one has a script: it shows the values of curves on hovering and sorts tables.
    """
    is_heard = listening is not None and any(sound.data for sound in listening.sounds)
    script = _script() if interactive else ""
    if interactive:
        pictures = [replace(picture, panels=tuple(map(_with_readings, picture.panels))) for picture in pictures]
    return (
        html_environment()
        .get_template("html/report.html.j2")
        .render(
            report=report,
            view=arrange(report, pictures),
            listening=listening,
            is_heard=is_heard,
            policy=_policy(script, is_heard=is_heard),
            stylesheet=Markup(stylesheet),  # noqa: S704  (our own)
            script=Markup(script),  # noqa: S704  (our own)
            uri=lambda sound: _data_uri(sound.media_type, sound.data),
        )
    )


def _policy(script: str, *, is_heard: bool) -> str:
    """Return the content security policy: what runs is this very script, or nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    sounds, scripts = ("; media-src data:" if is_heard else ""), (f"; script-src 'sha256-{digest}'" if script else "")
    return f"{_POLICY}{sounds}{scripts}"


@cache
def _script() -> str:
    return (TEMPLATES / "html" / "interactive.js").read_text(encoding="utf-8")


_DIGITS = 4  # significant, of a value that is read off a curve


def agent_instructions() -> str:
    """Return how a coding agent is to run experiments, in Markdown."""
    return (TEMPLATES / "skill.md").read_text(encoding="utf-8")


def _with_readings(panel: Panel) -> Panel:
    """Return a panel whose drawing carries the values behind its lines, written as in a table, for the script."""
    plot = panel.plot
    if plot is None:
        return panel
    write = percent_cell if plot.in_percent else lambda value: metric_text(value, _DIGITS).replace(",", "")
    data = {
        "area": ",".join(f"{edge:.1f}" for edge in plot.area),
        "limits": ",".join(f"{limit:.6g}" for limit in plot.limits),
        "epochs": ",".join(map(str, plot.epochs)),
        **({} if plot.best is None else {"best": str(plot.best)}),
        **{name: ",".join(map(write, values)) for name, values in plot.lines},
    }
    attributes = "".join(f' data-{name}="{escape(text)}"' for name, text in data.items())
    return replace(panel, svg=panel.svg.replace("<svg", f"<svg{attributes}", 1))


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
