"""The demo set with faults planted in it: what `tracker data check` must find, and nothing else.

Called by itself it writes the set and prints what was found of it: ``python -m bench.planted FOLDER``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from tracker import check_data
from tracker.data.demo.files import DemoSettings, write_demo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker import DataCheck

SETTINGS = DemoSettings(artists=3, clips=2, seconds=6.0)
RATE = 22_050


def plant(folder: Path) -> set[tuple[str, tuple[str, ...]]]:
    """Write the demo set with faults and return them: the kind of each and the names it is about."""
    manifest = write_demo(folder, SETTINGS)
    rows = [*csv.reader(manifest.open(newline="", encoding="utf-8"))][1:]
    paths = {genre: [path for path, label, _ in rows if label == genre] for genre in sorted({row[1] for row in rows})}
    first, second, third = [*paths][:3]
    planted: set[tuple[str, tuple[str, ...]]] = set()
    table = [(*row, "validation" if "artist01" in row[0] else "train") for row in rows]

    def add(path: str, label: str, group: str, part: str = "train") -> None:
        table.append((path, label, group, part))

    def sound(path: str) -> NDArray[np.float32]:
        samples, _ = soundfile.read(folder / path, dtype="float32")
        return samples

    def copied(kind: str, source: str, path: str) -> None:
        planted.add((kind, tuple(sorted((source, path)))))

    one, two, three = paths[first][2:5]
    (folder / f"{first}/copy.wav").write_bytes((folder / one).read_bytes())
    add(f"{first}/copy.wav", first, f"{first}-artist02")
    copied("same_file", one, f"{first}/copy.wav")

    soundfile.write(folder / f"{first}/lossless.flac", sound(two), RATE, subtype="PCM_16")
    add(f"{first}/lossless.flac", first, f"{first}-artist02")
    copied("same_sound", two, f"{first}/lossless.flac")

    soundfile.write(folder / f"{second}/again.mp3", sound(three), RATE)
    add(f"{second}/again.mp3", second, f"{second}-artist02")
    copied("same_recording", three, f"{second}/again.mp3")
    copied("two_labels", three, f"{second}/again.mp3")

    cut, louder = paths[second][2], paths[second][4]
    soundfile.write(folder / f"{second}/cut.ogg", sound(cut)[int(2.345 * RATE) :], RATE)
    add(f"{second}/cut.ogg", second, f"{second}-artist09", "validation")
    copied("same_recording", cut, f"{second}/cut.ogg")
    copied("across_split", cut, f"{second}/cut.ogg")
    soundfile.write(folder / f"{second}/quiet.wav", 0.2 * sound(louder), RATE)
    add(f"{second}/quiet.wav", second, f"{second}-artist03")
    copied("same_recording", louder, f"{second}/quiet.wav")

    noise = np.random.default_rng(0)
    for name, samples, kind in (
        ("silent", np.zeros(3 * RATE), "silent"),
        ("clipped", np.clip(3 * noise.standard_normal(5 * RATE), -1, 1), "clipped"),
        ("short", 0.1 * noise.standard_normal(RATE), "short"),
    ):
        soundfile.write(folder / f"{third}/{name}.wav", samples, RATE)
        add(f"{third}/{name}.wav", third, f"{third}-artist02")
        planted.add((kind, (f"{third}/{name}.wav",)))
    (folder / f"{third}/damaged.wav").write_bytes((folder / paths[third][0]).read_bytes()[:5_000])
    add(f"{third}/damaged.wav", third, f"{third}-artist02")
    planted.add(("unreadable", (f"{third}/damaged.wav",)))

    for number in range(4):
        soundfile.write(folder / f"alike{number}.wav", 0.1 * noise.standard_normal(5 * RATE), RATE)
        add(f"alike{number}.wav", f"{first.upper()} ", "one", "validation" if number == 0 else "train")
    planted |= {("alike_classes", (first.upper(), first)), ("one_group", (first.upper(),)), ("cut_group", ("one",))}
    for number in range(2):
        soundfile.write(folder / f"rate{number}.wav", 0.1 * noise.standard_normal(5 * 16_000), 16_000)
        add(f"rate{number}.wav", "speech", f"speaker{number}", ("train", "validation")[number])
    planted.add(("giveaway", ("speech",)))
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "group", "split"), *table])
    return planted


def found_in(check: DataCheck) -> set[tuple[str, tuple[str, ...]]]:
    """Return what a check found, as `plant` has it."""
    return {(finding.kind.value, finding.names) for finding in check.findings}


def main() -> int:
    """Write the set, check it and compare; the exit status is 1 if anything was missed or made up."""
    folder = Path(sys.argv[1])
    planted, found = plant(folder), found_in(check_data(folder / "manifest.csv"))
    for word, faults in (("found", planted & found), ("missed", planted - found), ("made up", found - planted)):
        for kind, names in sorted(faults):
            print(f"{word}\t{kind}\t{' = '.join(names)}")
    return int(planted != found)


if __name__ == "__main__":
    sys.exit(main())
