"""The report as one HTML file: no script, nothing fetched, light and dark, on a screen, a phone and paper."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from tracker.render.jinja import html_environment
from tracker.render.view_model import arrange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.report import Picture, Report

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_WITH_SOUND = "; media-src data:"
_PIXELS_AN_INCH = 1.5  # pixels of a figure for each one of the page: figures stay sharp on dense screens


@dataclass(frozen=True, slots=True)
class Sound:
    """A misjudged clip to listen to."""

    clip: str
    label: str
    taken_for: str
    media_type: str  # as in ``audio/wav``
    data: bytes  # the audio file


def render_html(report: Report, pictures: Sequence[Picture], sounds: Sequence[Sound] = ()) -> str:
    """Return the report as one HTML file, with clips to listen to in order."""
    template = html_environment().get_template("html/report.html.j2")
    return template.render(
        report=arrange(report, pictures),
        sounds=sounds,
        policy=_POLICY + (_WITH_SOUND if sounds else ""),
        source=lambda picture: _data_uri("image/png", picture.png),
        size=_size,
        listen=lambda sound: _data_uri(sound.media_type, sound.data),
    )


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _size(picture: Picture) -> Markup:
    """Return the size of a PNG, as its header has it, in pixels of the page: nothing moves while the page loads."""
    width, height = (int.from_bytes(picture.png[i : i + 4], "big") / _PIXELS_AN_INCH for i in (16, 20))
    return Markup('width="{:.0f}" height="{:.0f}"').format(width, height)
