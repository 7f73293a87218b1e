"""The synthetic demo set: five genres of made-up music by made-up artists, the same on every call.

It replaces a dataset to download, and is as hard as one: `genres` defines the genres, `sounds` makes notes, drums and
the finished recording, `song` plays the clips of an artist, and `files` writes them.
"""

from tracker.data.demo.files import DemoSettings, demo_dataset, write_demo

__all__ = ["DemoSettings", "demo_dataset", "write_demo"]
