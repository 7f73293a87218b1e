"""The report in every form, for small and large experiments: files and pictures to look at, and checks.

    python -m bench.pages FOLDER [--store FOLDER]

Each experiment is written to FOLDER as HTML, Markdown, PDF, LaTeX, CSV and JSON, and its page is photographed at 1400,
800 and 390 px and in the dark. A line of the table is one experiment: its runs, the size of its page, the pages of its
PDF and of the printed page, and its faults: what axe-core finds with all details open at 390 and 1400 px, light and
dark; what vnu finds; what the browser complains of; what is wider than the screen; what other people's text does in the
PDF, CSV or LaTeX table. In `strangers`, 150 runs, everything that a person can name is text that means something
to a browser, a shell, a spreadsheet, TeX or typst. With --store, the runs of a store are an experiment, too. Needs
Chromium and Java; LaTeX is compiled if pdflatex is there. The exit status is 1 if there is any fault.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from playwright.sync_api import sync_playwright

import tracker
from tests.builders import HOSTILE, make_predictions, make_run, writeup_runs
from tests.render.test_in_browser import OPEN_ALL, barriers
from tests.render.test_in_browser import faults as faults_of_html
from tests.render.test_pdf import ACTIONS, objects, pages
from tracker.recording.reports import build_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from playwright.sync_api import Browser

    from tracker.recording.reports import Report
    from tracker.runs import Run

N_STRANGERS = 150
WIDTHS = (1400, 800, 390)
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")

# ---- experiments ----


def planted(
    kernels: str = "357", rates: Sequence[str] = ("0.001", "0.0001"), dropouts: Sequence[str] = ("0.1",), seeds: int = 1
) -> list[Run]:
    """Return runs on 200 clips of 40 artists: kernel 7 and the lower rate are better, dropout does nothing."""
    rng = np.random.default_rng(0)
    groups, hard = [f"artist{clip // 5:02d}" for clip in range(200)], rng.normal(size=200)
    runs: list[Run] = []
    for kernel, rate, dropout in product(kernels, rates, dropouts):
        skill = 0.3 + {"3": 0.0, "5": 0.1}.get(kernel, 0.45) + 0.2 * (rate == "0.0001")
        for seed in range(seeds):
            margins = skill + hard + rng.normal(0, 0.08) + rng.normal(0, 0.6, 200)
            epochs = int(rng.integers(20, 60))
            time = np.linspace(0, 1, epochs)
            losses = 1.2 - 0.7 * time**0.4 + 0.15 * np.maximum(0, time - 0.5) + rng.normal(0, 0.04, epochs)
            rest = epochs - epochs * 2 // 3 if seed % 2 else 0
            runs.append(
                make_run(
                    len(runs) + 1,
                    "".join("01"[int(margin > 0)] for margin in margins),
                    {"kernel_size": kernel, "learning_rate": rate, "dropout": dropout},
                    seed=str(seed),
                    groups=groups,
                    tags={"tracker.training_clips": "800", "tracker.version": "0.1.0"},
                    metrics={"fit_accuracy": 0.95},
                    loss=(1.3 - time**0.5).tolist(),
                    val_loss=losses.tolist(),
                    val_accuracy=np.minimum(1, 0.4 + 0.4 * time).tolist(),
                    learning_rate=[float(rate)] * (epochs - rest) + [0.3 * float(rate)] * rest,
                    epoch_seconds=[1.0] * epochs,
                )
            )
    return runs


def one_class_wrong() -> list[Run]:
    """Return four runs that never get a clip of one of five classes."""
    rng, classes = np.random.default_rng(1), ("blues", "disco", "jazz", "metal", "reggae")
    return [
        replace(
            run,
            validation=make_predictions(
                "".join("0" if clip % 5 == 3 else "01"[int(rng.random() < 0.8)] for clip in range(60)), classes=classes
            ),
        )
        for run in planted("37")
    ]


def foreign() -> list[Run]:
    """Return runs as another program logs them: params and numbers, neither curves nor predictions."""
    rng = np.random.default_rng(2)
    return [
        replace(
            make_run(number, None, {"C": c, "penalty": penalty, "random_state": seed}, seed=None),
            tags={},
            metrics={"accuracy": float(rng.uniform(0.7, 0.9)), "f1": float(rng.uniform(0.6, 0.9))},
        )
        for number, (c, penalty, seed) in enumerate(product(("0.1", "1.0", "10.0"), ("l1", "l2"), "012"), 1)
    ]


PHRASES = (
    '=HYPERLINK("http://evil","x")', "+1+1|cmd", "-2+3", "@SUM(A1)", "\t=1", "a;=1", "\uff1d1", "\u202e=1",
    r"\input{/etc/passwd}", r"\write18{id}", r"\\[1cm]", "a & b", "50%", "a_b^c", "^^41", r"a\end{tabular}", "``q''",
    "<<x>>", "#panic()", '#read("/etc/hostname")', "= h", "<label>", "@ref", "\\u{41}", "//c", "/* x",
    '#link("javascript:x")[y]', "javascript:alert(1)", "data:text/html,<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "</style><script>alert(1)</script>", "</title>", "]]>",
    "<!--", "-->", "&#x3c;script&#x3e;", "%3Cscript%3E", "{{7*7}}", "{%", "${7*7}", "#{7*7}", "`id`", "$(id)",
    "; rm -rf ~", "&& id", "| id", "'\"`", "../../etc/passwd", "C:\\x", "CON", "~", "--help", "-rf", "\x00", "\x07",
    "\x08", "\x1b]8;;http://evil\x07x", "\r\n", "\u200b", "\u200f", "\u2066", "\ufeff", "\ufff9", "\U000e0041",
    "e\u0301" * 30, "Z\u0351\u036b", "\u6f22\u5b57", "\U0001f600\U0001f469\u200d\U0001f467", "\u0627\u0644\u0633",
    "\ufdfa", "\u0130", "\u00df", "\ufb01", "\u0661\u0662", "1e999", "NaN", "inf", "None", "null", "true", "0", "-0",
    "1,5", "1_000", "0x10", "off", "default", "n/a", "\u2013", "\u2026", "   x   ", "x" * 300, "a b " * 80,
)  # fmt: skip


def strangers() -> list[Run]:
    """Return runs whose name, note, option's level, metric and group are one text each."""
    rng = np.random.default_rng(3)
    texts = (*HOSTILE, *PHRASES)
    texts += tuple(f"{one} {other}" for one, other in zip(PHRASES, PHRASES[7:], strict=False))
    return [
        replace(
            make_run(
                number,
                "".join(rng.choice(["0", "1"], 30)),
                {"augment": text, **({text: "1"} if number % 3 == 0 and text.strip() else {})},
                groups=[text] * 15 + ["other"] * 15 if number % 7 == 0 else None,
                metrics={text: 0.5} if text else {},
                val_loss=[0.9, 0.7, 0.8],
            ),
            name=text,
            note=text,
        )
        for number, text in enumerate(texts[:N_STRANGERS], 1)
    ]


EXPERIMENTS: Mapping[str, Callable[[], list[Run]]] = {
    "one-run": lambda: planted("7", ("0.001",)),
    "four": writeup_runs,
    "one-class-wrong": one_class_wrong,
    "sixteen": partial(planted, "37", seeds=4),
    "foreign": foreign,
    "sixty": partial(planted, dropouts=("0.1", "0.3"), seeds=5),
    "thousand": partial(planted, "3456789", ("0.01", "0.001", "0.0001"), ("0", "0.1", "0.2", "0.3"), 12),
    "strangers": strangers,
}

# ---- checks ----


def written(report: Report, folder: Path, name: str) -> dict[str, Path]:
    """Write a report in every form; return the file of each ending."""
    made = {ending: folder / f"{name}{ending}" for ending in (".html", ".md", ".pdf", ".tex", ".csv", ".json")}
    report.to_html(made[".html"])
    report.to_markdown(made[".md"], figures=folder / "figures")
    report.to_pdf(made[".pdf"])
    report.to_latex(made[".tex"])
    report.to_csv(made[".csv"])
    report.to_json(made[".json"])
    return made


def looked_at(browser: Browser, page: Path) -> tuple[int, list[str]]:
    """Take a page's pictures; return the pages it prints on, and its faults."""
    faults: list[str] = []
    opened = browser.new_context(bypass_csp=True).new_page()
    opened.on("console", lambda message: faults.append(f"console: {message.text}"))
    opened.on("pageerror", lambda error: faults.append(f"error: {error}"))
    opened.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
    opened.on(
        "request", lambda it: None if it.url.startswith(("file:", "data:")) else faults.append(f"fetched {it.url}")
    )
    opened.goto(page.as_uri())
    for width in WIDTHS:
        opened.set_viewport_size({"width": width, "height": 900})
        opened.screenshot(path=page.with_name(f"{page.stem}-{width}.png"), full_page=True)
    opened.set_viewport_size({"width": 1400, "height": 900})
    opened.emulate_media(color_scheme="dark")
    opened.screenshot(path=page.with_name(f"{page.stem}-dark.png"), full_page=True)
    opened.emulate_media(color_scheme="light")
    printed = opened.pdf(format="A4").count(b"/Type /Page\n")
    opened.evaluate(OPEN_ALL)
    faults += [f"axe: {rule}: {element[:200]}" for rule, element in barriers(opened)]
    for width in (390, 1400):
        opened.set_viewport_size({"width": width, "height": 900})
        if (wide := opened.evaluate("document.documentElement.scrollWidth")) > width:
            faults.append(f"{wide} px wide at {width} px")
    opened.context.close()
    return printed, faults


def other_faults(made: Mapping[str, Path]) -> Iterator[str]:
    """Yield what other people's text does in the PDF, the CSV and the LaTeX table."""
    pdf = made[".pdf"].read_bytes()
    inside = objects(pdf)
    links = re.findall(rb"/URI\s*\(([^)]*)\)", inside)
    yield from (f"PDF: {action.decode()}" for action in ACTIONS[1:] if action in inside)
    yield from (f"PDF links to {link!r}" for link in links if b"evil" in link)
    for row in csv.reader(io.StringIO(made[".csv"].read_text(encoding="utf-8"))):
        for cell in row:
            starts = [part.lstrip()[:1] for part in cell.split(";")]
            if any(start in FORMULA for start in starts if start) and not re.fullmatch(
                r"[+-]?[\d.]+(e[+-]?\d+)?", cell
            ):
                yield f"CSV: {cell[:60]!r}"
    if shutil.which("pdflatex"):
        yield from _latex_faults(made[".tex"])


def _latex_faults(table: Path) -> Iterator[str]:
    """Compile a document that reads the table, and yield what TeX complains of but signs that its typeface lacks."""
    document = table.with_name(f"{table.stem}-paper.tex")
    document.write_text(
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage[landscape,a0paper]{geometry}"
        rf"\begin{{document}}\begin{{table}}\input{{{table.name}}}\end{{table}}\end{{document}}",
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", document.name]
    made = subprocess.run(command, cwd=table.parent, capture_output=True, check=False).stdout.decode("utf-8", "replace")
    errors = [line for line in made.splitlines() if line.startswith("!")]
    yield from (f"LaTeX: {line}" for line in errors if "Unicode character" not in line)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files and pictures are written")
    parser.add_argument("--store", help="a store whose runs are an experiment, too: its folder or URI")
    parser.add_argument("--only", nargs="*", choices=EXPERIMENTS, help="these experiments alone")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    runs_of: dict[str, Callable[[], Sequence[Run]]] = {it: EXPERIMENTS[it] for it in asked.only or EXPERIMENTS}
    if asked.store:
        runs_of["own"] = lambda: tracker.load_runs(asked.store)
    heads = ("experiment", "runs", "HTML, kB", "Markdown, kB", "PDF, pages", "printed, pages", "answers", "faults")
    print(f"| {' | '.join(heads)} |\n| --- |{' ---: |' * (len(heads) - 1)}")
    found: dict[str, list[str]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, make in runs_of.items():
            runs = make()
            report = build_report(runs)
            made = written(report, asked.folder, name)
            printed, faults = looked_at(browser, made[".html"])
            found_in_html = faults_of_html(made[".html"].read_text(encoding="utf-8"), asked.folder).splitlines()
            faults += [f"vnu: {line}" for line in found_in_html if ": info " not in line]
            faults += other_faults(made)
            found[name] = faults
            sizes = [f"{made[ending].stat().st_size / 1000:.0f}" for ending in (".html", ".md")]
            cells = (
                name,
                f"{len(runs):,}",
                *sizes,
                pages(made[".pdf"].read_bytes()),
                printed,
                len(report.answers),
                len(faults),
            )
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    for name, faults in found.items():
        for fault in dict.fromkeys(faults):
            print(f"{name}: {fault}", file=sys.stderr)
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
