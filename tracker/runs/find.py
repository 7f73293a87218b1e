"""Which of many things a person means by an id, the beginning of one, or a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_SHOWN = 10
_SHORT_ID, _ID_LENGTH = 8, 32


@dataclass(frozen=True, slots=True)
class Called(Generic[T]):
    """A thing and what it is called.

    Parameters
    ----------
    thing
    ids : tuple of str
        The first is shown.
    name : str
        Other things may have it too.
    """

    thing: T
    ids: tuple[str, ...]
    name: str


def meant(text: str, things: Sequence[Called[T]], kind: str) -> T:
    """Return the thing that a text means: by an id, else by its name, else by the beginning of an id.

    Parameters
    ----------
    text : str
    things : sequence of Called
    kind : str
        What the things are, as it is said of one: ``run``.

    Raises
    ------
    ValueError
        If the text means none or several; the message lists them.
    """
    for found in (
        [one for one in things if text in one.ids],
        [one for one in things if text and one.name == text],
        [one for one in things if text and any(own.startswith(text.lower()) for own in one.ids)],
    ):
        if len(found) == 1:
            return found[0].thing
        if found:
            raise ValueError(f"{text!r} means {len(found)} {kind}s: {_listed(found)}; give more of the id")
    raise ValueError(f"no {kind} has the id or name {text!r}; there are: {_listed(things) or 'none'}")


def _listed(things: Sequence[Called[T]]) -> str:
    lengths = range(_SHORT_ID, _ID_LENGTH)
    length = next((n for n in lengths if len({one.ids[0][:n] for one in things}) == len(things)), _ID_LENGTH)
    shown = ", ".join(f"{one.ids[0][:length]} ({one.name!r})" for one in things[:_SHOWN])
    return shown + (", …" if len(things) > _SHOWN else "")
