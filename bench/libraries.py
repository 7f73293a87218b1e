"""The real loaders of mirdata and soundata, given a few tones laid out as GTZAN and ESC-50: what tracker reads of them.

Their indexes are downloaded with the data; here two small ones of the same form take their place, in a copy of the
loader's own settings. Needs both libraries: ``python -m bench.libraries FOLDER``, exit status 1 if anything is wrong.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from tests.builders import write_tone
from tracker.data.reading import read_dataset
from tracker.runs import DataPlan

GENRES = ("blues", "disco")
HEADER = "filename,fold,target,category,esc10,src_file,take"


def lay_out_gtzan(folder: Path) -> dict[str, object]:
    """Write GTZAN in little, and return its index."""
    tracks = {}
    for number in range(6):
        name = f"{GENRES[number % 2]}.0000{number // 2}"
        file = f"gtzan_genre/genres/{GENRES[number % 2]}/{name}.wav"
        write_tone(folder / file, 200 + 50 * number, seed=number)
        tracks[name] = {"audio": [file, ""], "beats": [None, None], "tempo": [None, None]}
    return {"version": "1.0", "tracks": tracks}


def lay_out_esc50(folder: Path) -> dict[str, object]:
    """Write ESC-50 in little, and return its index."""
    clips, rows = {}, [HEADER]
    for number in range(6):
        name = f"{number % 3 + 1}-{100 + number // 2}-A-{number % 2}"
        write_tone(folder / "audio" / f"{name}.wav", 200 + 50 * number, seed=number)
        rows.append(
            f"{name}.wav,{number % 3 + 1},{number % 2},{('dog', 'rain')[number % 2]},True,{100 + number // 2},A"
        )
        clips[name] = {"audio": [f"audio/{name}.wav", ""]}
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return {"version": "2.0", "clips": clips, "metadata": {"esc50": ["meta/esc50.csv", ""]}}


def main() -> int:
    """Read both through their loaders; say what was read."""
    wrong = 0
    for name, lay_out, expected in (
        ("mirdata:gtzan_genre", lay_out_gtzan, {("blues", None, None), ("disco", None, None)}),
        (
            "soundata:esc50",
            lay_out_esc50,
            {(("dog", "rain")[n % 2], str(100 + n // 2), n % 3 + 1) for n in range(6)},
        ),
    ):
        library, _, called = name.partition(":")
        folder = Path(sys.argv[1]).absolute() / called
        index = folder / "index.json"
        content = lay_out(folder)
        index.write_text(json.dumps(content), encoding="utf-8")
        module = importlib.import_module(f"{library}.datasets.{called}")
        settings = module.INDEXES[module.INDEXES["default"]]
        settings.get_path = lambda _=None, index=index: str(index)
        dataset = read_dataset(Path(name), DataPlan(audio_root=str(folder)))
        found = {(clip.label, clip.group, clip.fold) for clip in dataset.clips}
        print(f"{name}: {len(dataset.clips)} clips, {'as expected' if found == expected else sorted(map(str, found))}")
        wrong += found != expected
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
