"""The synthetic demo set: five genres of made-up music by made-up artists, the same on every call.

It stands in for a dataset nobody can download for you, and is as hard as one: `genres` says what a genre is, `artist`
what clips of one artist share, `song` what is played in a clip (of `tones`, `drums` and `rhythm`), `master` how it is
finished, and `files` writes it all down.
"""

from tracker.data.demo.files import demo_dataset, write_demo

__all__ = ["demo_dataset", "write_demo"]
