"""`tracker report`: what it prints and writes, and what `--check`, `--assets`, `--output` and `--max-bytes` do."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import WRITEUP_TITLES
from tracker.recording.reports import write_file

if TYPE_CHECKING:
    from tests.running import LogRun, Result, Tracker


def linked(markdown: str) -> list[str]:
    """Return the paths of the figures that a report links to."""
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", markdown)


class TestContent:
    def test_content_titles_each_run_as_the_writeup_does(self, writeup: Tracker) -> None:
        result = writeup("report")
        assert result.status == 0, result.err
        headings = [line for line in result.out.splitlines() if line.startswith("### Conv")]
        assert sorted(headings) == sorted(f"### {title}" for title in WRITEUP_TITLES)

    def test_content_rounds_loss_and_accuracy_and_json_has_them_as_they_were_logged(self, writeup: Tracker) -> None:
        text, document = writeup("report").out, writeup("report", "--format", "json").out
        assert "0.404" in text
        assert "0.40432727336883545" not in text
        assert "0.40432727336883545" in document
        assert "0.8333333134651184" in document

    def test_content_is_the_same_bytes_each_time(self, writeup: Tracker) -> None:
        assert writeup("report").out == writeup("report").out

    def test_content_in_json_supports_nothing_and_finds_the_kernel_confounded(self, writeup: Tracker) -> None:
        report = json.loads(writeup("report", "--format", "json").out)
        assert report["schema"] == "tracker.report/2"
        inferred = [c for c in report["conclusions"] if c["kind"] in {"best_run", "run_difference", "option_effect"}]
        assert "supported" not in {conclusion["verdict"] for conclusion in inferred}
        (kernel,) = [c for c in inferred if c["option"] == "kernel_size"]
        assert kernel["verdict"] == "confounded"
        assert set(kernel["details"]["aliases"]) == {"learning_rate", "plateau", "early_stopping_patience"}
        assert [run["validation"]["correct"] for run in report["runs"]] == [25, 25, 26, 24]

    def test_content_in_html_is_one_file_without_scripts(self, writeup: Tracker, tmp_path: Path) -> None:
        result = writeup("report", "--format", "html")
        assert "<script" not in result.out
        assert '<svg viewBox="0 0 ' in result.out
        assert "<img" not in result.out
        assert not (tmp_path / "work" / "reports").exists()

    @pytest.mark.parametrize("words", [("report",), ("next",), ("compare", "run 3", "run 7")])
    def test_a_metric_that_no_run_logged_is_an_error_that_names_the_nearest(
        self, writeup: Tracker, words: tuple[str, ...]
    ) -> None:
        result = writeup(*words, "--metric", "best_val_acuracy")
        assert (result.status, result.out) == (2, "")
        assert "no run logged the metric 'best_val_acuracy'; did you mean best_val_accuracy" in result.err

    def test_content_of_an_unknown_experiment_names_those_there_are(self, writeup: Tracker) -> None:
        result = writeup("report", "--experiment", "other")
        assert result.status == 1
        assert "tracker" in result.err


class TestOutput:
    def test_the_file_holds_what_standard_output_would(self, writeup: Tracker) -> None:
        printed = writeup("report").out
        result = writeup("report", "--output", "REPORT.md")
        assert (result.status, result.out) == (0, "")
        assert Path("REPORT.md").read_text() == printed

    @pytest.mark.parametrize("form", ["html", "latex", "csv", "json", "summary"])
    def test_every_format_is_written(self, writeup: Tracker, form: str) -> None:
        assert writeup("report", "--format", form, "--output", "new/folder/report").status == 0
        assert Path("new/folder/report").read_text() == writeup("report", "--format", form).out
        assert not Path("reports").exists()

    def test_a_pdf_is_written_by_its_ending_and_checked(self, writeup: Tracker) -> None:
        assert writeup("report", "--output", "report.pdf").status == 0
        assert Path("report.pdf").read_bytes().startswith(b"%PDF")
        assert writeup("report", "--check", "report.pdf").status == 0
        result = writeup("report", "--check", "report.pdf", "--title", "Another")
        assert (result.status, result.out) == (1, "")
        assert "report.pdf is out of date" in result.err

    def test_output_links_are_relative_to_the_output(self, writeup: Tracker) -> None:
        writeup("report", "--output", "docs/REPORT.md")
        paths = linked(Path("docs/REPORT.md").read_text())
        assert paths
        assert all(path.startswith("../reports/figures/") and Path("docs", path).is_file() for path in paths)

    def test_a_link_to_a_file_stays_a_link(self, writeup: Tracker) -> None:
        Path("real.md").write_text("old")
        Path("REPORT.md").symlink_to("real.md")
        writeup("report", "--output", "REPORT.md")
        assert Path("REPORT.md").is_symlink()
        assert Path("real.md").read_text().startswith("#")

    @pytest.mark.parametrize(("place", "link"), [("REPORT.md", "REPORT.md"), ("docs/REPORT.md", "docs")])
    @pytest.mark.parametrize("target", ["../home", "../home/new"])
    def test_a_link_that_leaves_the_folder_is_not_written_through(
        self, writeup: Tracker, place: str, link: str, target: str
    ) -> None:
        home = Path("../home")
        home.mkdir()
        Path(link).symlink_to(Path(target, ".bashrc") if link == place else target)
        (home / ".bashrc").write_text("mine")
        result = writeup("report", "--output", place)
        assert (result.status, result.out) == (1, "")
        assert f"tracker: cannot write {place}: a link leads from there to " in result.err
        assert {path.name: path.read_text() for path in home.iterdir()} == {".bashrc": "mine"}

    def test_figures_are_not_written_through_a_link_that_leaves_the_folder(self, writeup: Tracker) -> None:
        home = Path("../home")
        home.mkdir()
        Path("reports").mkdir()
        Path("reports/figures").symlink_to(home.absolute())
        result = writeup("report", "--output", "REPORT.md")
        assert (result.status, result.out, list(home.iterdir())) == (1, "", [])
        assert "a link leads from there to" in result.err
        assert not Path("REPORT.md").exists()

    def test_a_link_planted_in_the_place_of_a_temporary_file_is_not_followed(self, writeup: Tracker) -> None:
        Path("../precious").write_text("mine")
        Path("REPORT.md.partial").symlink_to("../precious")
        assert writeup("report", "--output", "REPORT.md").status == 0
        assert Path("../precious").read_text() == "mine"

    def test_a_pipe_that_nobody_reads_is_refused(self, writeup: Tracker) -> None:
        os.mkfifo("REPORT.md")
        result = writeup("report", "--output", "REPORT.md")
        assert (result.status, result.out) == (1, "")
        assert "cannot write REPORT.md: no process reads from that pipe; remove it, or start its reader" in result.err

    def test_a_pipe_with_a_reader_takes_the_report(self, writeup: Tracker) -> None:
        os.mkfifo("pipe")
        with ThreadPoolExecutor(1) as pool:
            read = pool.submit(Path("pipe").read_text)
            while (result := writeup("report", "--output", "pipe", "--format", "summary")).status:
                assert "no process reads" in result.err  # yet
            assert read.result() == writeup("report", "--format", "summary").out

    def test_reports_written_at_once_into_one_file_are_whole(self, writeup: Tracker) -> None:
        text = writeup("report", "--format", "html").out
        with ThreadPoolExecutor(16) as pool:
            jobs = [pool.submit(write_file, Path("R.html"), text.encode()) for _ in range(64)]
        assert [job.result() for job in jobs] == [None] * 64
        assert Path("R.html").read_text() == text
        assert not list(Path().glob(".*.tmp"))

    @pytest.mark.parametrize("command", ["--output", "--check"])
    def test_a_store_is_neither_replaced_nor_printed(self, writeup: Tracker, command: str) -> None:
        before = Path("mlflow.db").read_bytes()
        result = writeup("report", "--format", "html", command, "mlflow.db")
        assert (result.status, result.out) == (1, "")
        assert result.err.count("\n") == 1
        assert command == "--check" or "mlflow.db: that file is neither text nor a report; give another" in result.err
        assert Path("mlflow.db").read_bytes() == before

    def test_a_former_pdf_is_replaced(self, writeup: Tracker) -> None:
        Path("report.pdf").write_bytes(b"%PDF-1.7\n\0")
        assert writeup("report", "--output", "report.pdf").status == 0
        assert len(Path("report.pdf").read_bytes()) > 1_000

    @pytest.mark.parametrize("place", ["notes/report.md", "notes/more/report.md"])
    def test_a_file_in_the_place_of_its_folder_is_named(self, writeup: Tracker, place: str) -> None:
        Path("notes").touch()
        result = writeup("report", "--format", "summary", "--output", place)
        assert (result.status, result.out) == (1, "")
        assert f"cannot write {place}: notes is a file, not a folder; give another --output" in result.err

    def test_writing_and_checking_at_once_is_refused(self, writeup: Tracker) -> None:
        Path("a.md").touch()
        result = writeup("report", "--output", "b.md", "--check", "a.md")
        assert (result.status, result.out) == (2, "")
        assert "give --output or --check, not both" in result.err

    def test_a_dash_is_standard_output(self, writeup: Tracker) -> None:
        result = writeup("report", "--format", "csv", "--output", "-")
        assert (result.status, result.out) == (0, writeup("report", "--format", "csv").out)
        assert not Path("-").exists()

    def test_a_folder_is_refused(self, writeup: Tracker) -> None:
        result = writeup("report", "--output", ".")
        assert (result.status, result.out) == (2, "")
        assert "'--output'" in result.err


class TestEndings:
    @pytest.mark.parametrize(
        ("file", "form"),
        [
            ("r.md", "markdown"),
            ("R.HTML", "html"),
            ("r.htm", "html"),
            (".html", "html"),
            ("r.tex", "latex"),
            ("r.csv", "csv"),
            ("r.json", "json"),
        ],
    )
    def test_the_ending_of_the_file_is_the_format(self, writeup: Tracker, file: str, form: str) -> None:
        assert writeup("report", "--output", file).status == 0
        assert Path(file).read_text() == writeup("report", "--format", form).out
        assert writeup("report", "--check", file).status == 0

    def test_a_summary_is_markdown_too(self, writeup: Tracker) -> None:
        assert writeup("report", "--format", "summary", "--output", "s.md").status == 0

    @pytest.mark.parametrize("option", ["--output", "--check"])
    @pytest.mark.parametrize(("file", "form"), [("r.md", "html"), ("r.html", "markdown"), ("r.json", "summary")])
    def test_a_format_that_contradicts_the_ending_is_refused(
        self, tracker: Tracker, option: str, file: str, form: str
    ) -> None:
        Path(file).touch()
        result = tracker("report", option, file, "--format", form)
        assert (result.status, result.out, Path(file).read_text()) == (2, "", "")
        assert f"'{option}': {file} is to be " in result.err
        assert f"by its ending, not {form}" in result.err

    def test_an_unknown_ending_needs_a_format(self, writeup: Tracker) -> None:
        result = writeup("report", "--output", "r.docx")
        assert (result.status, Path("r.docx").exists()) == (2, False)
        assert "no format has the ending .docx of r.docx: choose .md, " in result.err
        assert writeup("report", "--output", "r.docx", "--format", "html").status == 0


class TestCover:
    COVER = ("--title", "Genres <b>", "--author", "Ada *L*", "--intro", "intro.md")
    INTRO = "# Aim\n\nTo **learn**.\n\n<script>alert(1)</script>\n\n![p](http://evil/p.png) [l](javascript:alert(1))\n"

    def test_title_author_and_introduction_stand_above_the_conclusions(self, writeup: Tracker) -> None:
        Path("intro.md").write_text(self.INTRO)
        finding = writeup("report").out.splitlines()[0].removeprefix("# ")
        text = writeup("report", *self.COVER).out
        assert re.match(r"# Genres .*\n\nAda .*\n\n\*\*", text)
        assert f"**{finding}**" in text
        assert text.index(finding) < text.index("**Aim**\n\nTo **learn**.") < text.index("## Conclusions")
        for acting in ("<b>", "*L*", "<script", "![p]", "[l]("):
            assert acting not in text

    def test_html_has_them_without_what_acts(self, writeup: Tracker) -> None:
        Path("intro.md").write_text(self.INTRO)
        text = writeup("report", "--format", "html", *self.COVER).out
        assert "<h1>Genres &lt;b&gt;</h1>" in text
        assert text.index("</h1>") < text.index('class="author"') < text.index("To <strong>learn</strong>.")
        for acting in ("<b>Genres", "<script", "http://evil", 'href="javascript'):
            assert acting not in text

    def test_an_introduction_that_is_too_long_is_named(self, writeup: Tracker) -> None:
        Path("intro.md").write_text("x" * 100_001)
        result = writeup("report", "--intro", "intro.md")
        assert (result.status, result.out) == (1, "")
        assert "intro.md has 100,001 characters, and an introduction at most 100,000: shorten it" in result.err

    def test_a_summary_has_the_title_and_the_finding(self, writeup: Tracker) -> None:
        first, *rest = writeup("report", "--format", "summary", "--title", "Mine").out.splitlines()
        assert (first, rest[1][:2]) == ("# Mine", "**")

    @pytest.mark.parametrize(
        ("words", "forms"),
        [
            (("--title", "A", "--format", "json"), "markdown, html, pdf or summary"),
            (("--author", "A", "--output", "runs.csv"), "markdown, html, pdf or summary"),
            (("--intro", "intro.md", "--format", "latex"), "markdown, html or pdf"),
            (("--intro", "intro.md", "--format", "summary"), "markdown, html or pdf"),
        ],
    )
    def test_a_format_without_them_is_refused(self, tracker: Tracker, words: tuple[str, ...], forms: str) -> None:
        Path("intro.md").touch()
        result = tracker("report", *words)
        assert (result.status, result.out) == (2, "")
        assert f"{words[0]} is for --format {forms} only" in result.err

    @pytest.mark.parametrize(
        ("words", "problem"),
        [
            (("--title", "a\nb"), "title must be a text of one line"),
            (("--author", "x" * 251), "author must be at most"),
        ],
    )
    def test_what_is_no_line_is_wrong_usage(self, writeup: Tracker, words: tuple[str, ...], problem: str) -> None:
        result = writeup("report", *words)
        assert (result.status, result.out) == (2, "")
        assert problem in result.err

    def test_the_introduction_is_not_replaced_by_the_report(self, writeup: Tracker) -> None:
        Path("intro.md").write_text("Mine.")
        result = writeup("report", "--intro", "intro.md", "--output", "./intro.md")
        assert (result.status, result.out) == (2, "")
        assert "--output would replace the introduction, intro.md: give another file" in result.err
        assert Path("intro.md").read_text() == "Mine."

    def test_an_introduction_of_another_encoding_is_an_error(self, writeup: Tracker) -> None:
        Path("intro.md").write_bytes(b"caf\xe9")
        result = writeup("report", "--intro", "intro.md")
        assert (result.status, result.out) == (1, "")
        assert "intro.md is not UTF-8 (byte 3): save it as UTF-8" in result.err


class TestSelection:
    def facts(self, tracker: Tracker, *words: str) -> tuple[list[str], str]:
        """Return the names of the runs in the report, and the experiment that it is about."""
        result = tracker("report", "--format", "json", *words)
        assert result.status == 0, result.err
        report = json.loads(result.out)
        return [run["name"] for run in report["runs"]], report["experiment"]

    @pytest.mark.parametrize(
        "words",
        [
            ("--runs", "first", "--runs", "third"),
            ("--runs", "first,third"),
            ("--exclude", "second"),
            ("--filter", "params.kernel_size != '5'"),
        ],
    )
    def test_a_report_is_on_the_selected_runs(self, tracker: Tracker, log_run: LogRun, words: tuple[str, ...]) -> None:
        for name, kernel in (("first", "3"), ("second", "5"), ("third", "7")):
            log_run("1101", name=name, kernel_size=kernel)
        assert self.facts(tracker, *words) == (["first", "third"], "tracker")

    def test_several_experiments_are_one_report_whose_commands_log_to_the_first(
        self, tracker: Tracker, log_run: LogRun
    ) -> None:
        log_run("1101", name="first", kernel_size="3", experiment="one")
        log_run("1001", name="second", kernel_size="5", experiment="two")
        both = ("--experiment", "one", "--experiment", "two")
        assert self.facts(tracker, *both) == (["first", "second"], "one, two")
        steps = json.loads(tracker("report", "--format", "json", *both).out)["next"]
        assert steps
        assert all("--experiment one" in step["command"] for step in steps)

    @pytest.mark.parametrize(
        ("option", "value", "problem"),
        [
            ("--filter", "kernel >", "the filter 'kernel >' isn't of MLflow's syntax"),
            ("--since", "yesterday", "must be a date such as 2026-11-25 or an age such as 3d, got 'yesterday'"),
        ],
    )
    def test_what_cannot_be_read_is_wrong_usage(self, writeup: Tracker, option: str, value: str, problem: str) -> None:
        result = writeup("report", option, value)
        assert (result.status, result.out) == (2, "")
        assert f"'{option}': {problem}" in result.err

    @pytest.mark.parametrize("option", ["--runs", "--exclude", "--experiment", "--filter"])
    def test_an_empty_name_is_wrong_usage(self, tracker: Tracker, option: str) -> None:
        result = tracker("report", option, "")
        assert (result.status, result.out) == (2, "")
        assert f"tracker report: {option} is empty" in result.err

    def test_a_filter_is_shown_without_quotes_of_quotes(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101", kernel_size="7")
        report = tracker("report", "--format", "summary", "--filter", "params.kernel_size = '7'")
        assert """(--filter "params.kernel_size = '7'")""" in report.out

    @pytest.mark.parametrize("words", [("--since", "1m"), ("--filter", "params.kernel_size = '99'")])
    def test_a_selection_that_leaves_no_run_is_an_error(self, writeup: Tracker, words: tuple[str, ...]) -> None:
        result = writeup("report", *words)
        assert (result.status, result.out) == (1, "")
        assert f"no run is left: none of 4 runs matches {words[0]}" in result.err


class TestAssets:
    def test_figures_are_written_to_the_default_folder(self, writeup: Tracker) -> None:
        paths = linked(writeup("report").out)
        assert paths
        assert all(path.startswith("reports/figures/") and Path(path).is_file() for path in paths)

    def test_figures_are_written_to_the_named_folder_alone(self, writeup: Tracker) -> None:
        paths = linked(writeup("report", "--assets", "docs/my figures").out)
        assert paths
        assert {Path("docs/my figures") / Path(path).name for path in paths} == set(Path("docs/my figures").iterdir())
        assert not Path("reports").exists()

    def test_a_file_is_refused(self, writeup: Tracker) -> None:
        Path("taken").write_text("")
        result = writeup("report", "--assets", "taken")
        assert (result.status, result.out) == (2, "")
        assert "'--assets'" in result.err


class TestStaleFigures:
    STALE = "curves-0123456789abcdef.png"

    def leave(self, *names: str, folder: str = "reports/figures") -> list[Path]:
        """Leave files that were written long ago."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        files = [Path(folder, name) for name in names]
        for file in files:
            file.write_bytes(b"")
            os.utime(file, (0, 0))
        return files

    def test_a_figure_that_nothing_refers_to_is_removed_and_those_of_the_report_stay(self, writeup: Tracker) -> None:
        (stale,) = self.leave(self.STALE)
        result = writeup("report", "--output", "REPORT.md")
        assert not stale.exists()
        assert "removed 1 figure of former reports from reports/figures" in result.err
        assert all(Path(path).is_file() for path in linked(Path("REPORT.md").read_text()))

    def test_a_figure_that_a_document_refers_to_stays(self, writeup: Tracker) -> None:
        (named,) = self.leave(self.STALE)
        Path("docs").mkdir()
        Path("docs/OTHER.md").write_text(f"![](../reports/figures/{self.STALE})")
        assert writeup("report").err == ""
        assert named.exists()

    def test_documents_of_the_repository_around_the_folder_count(self, writeup: Tracker, tmp_path: Path) -> None:
        (named,) = self.leave(self.STALE)
        (tmp_path / ".git").mkdir()
        (tmp_path / "NOTES.md").write_text(self.STALE)
        writeup("report")
        assert named.exists()

    def test_files_of_other_names_and_those_just_written_stay(self, writeup: Tracker) -> None:
        mine = self.leave("photo.png", "curves.png", "curves-0123456789abcdef.svg", "Curves-0123456789abcdef.png")
        new = Path("reports/figures/differences-0123456789abcdef.png")
        new.write_bytes(b"")
        writeup("report")
        assert all(file.exists() for file in [*mine, new])

    @pytest.mark.parametrize("words", [("--format", "html"), ("--check", "REPORT.md"), ("--assets", "other")])
    def test_a_report_without_figures_in_the_folder_removes_none(
        self, writeup: Tracker, words: tuple[str, ...]
    ) -> None:
        Path("REPORT.md").touch()
        (stale,) = self.leave(self.STALE)
        writeup("report", *words)
        assert stale.exists()


class TestLog:
    def logged(self, tracker: Tracker, log_run: LogRun, *words: str) -> tuple[Path, str]:
        """Log a report on two runs; return the page of the newest one, and what the command said."""
        log_run("1101", name="first", kernel_size="3")
        newest = log_run("1001", name="second", kernel_size="5")
        result = tracker("report", "--log", *words)
        assert (result.status, result.out) == (0, ""), result.err
        (page,) = Path("mlruns").glob(f"*/{newest}/artifacts/report.html")
        return page, result.err

    @pytest.mark.parametrize("words", [(), ("--interactive",)])
    def test_the_page_is_an_artifact_of_the_newest_run(
        self, tracker: Tracker, log_run: LogRun, words: tuple[str, ...]
    ) -> None:
        page, said = self.logged(tracker, log_run, *words)
        assert page.read_text() == tracker("report", "--format", "html", *words).out
        assert len([*Path("mlruns").rglob("report.html")]) == 1
        assert re.fullmatch(r"the report is now report.html of run second \([0-9a-f]{8}\)\n", said)
        assert not Path("reports").exists()

    def test_the_finding_is_the_description_below_a_persons_own(self, tracker: Tracker, log_run: LogRun) -> None:
        def describe(text: str | None = None) -> str:
            with closing(sqlite3.connect("mlflow.db")) as database:
                tag = "mlflow.note.content"
                if text is not None:
                    database.execute("UPDATE experiment_tags SET value = ? WHERE key = ?", (text, tag))
                    database.commit()
                return str(database.execute("SELECT value FROM experiment_tags WHERE key = ?", (tag,)).fetchone()[0])

        self.logged(tracker, log_run)
        first = describe()
        assert first == json.loads(tracker("report", "--format", "json").out)["title"]
        describe(f"Our *course*.\n\n{first}")
        log_run("1111", name="third", kernel_size="7")
        tracker("report", "--log")
        assert describe() == "Our *course*.\n\n" + json.loads(tracker("report", "--format", "json").out)["title"]
        tracker("report", "--log", "--exclude", "third")
        assert describe() == f"Our *course*.\n\n{first}. Selected: 2 of 3\N{NO-BREAK SPACE}runs (--exclude third)"

    def test_a_copied_project_leaves_the_other_one_alone(self, tracker: Tracker, log_run: LogRun) -> None:
        log_run("1101")
        shutil.copytree(".", "copy", ignore=shutil.ignore_patterns("copy"))
        result = tracker("report", "--log", "--tracking-uri", "copy/mlflow.db")
        assert (result.status, result.out) == (1, "")
        assert re.search(
            r"was copied, and the artifacts .* would be written to .*: run `tracker repair` first", result.err
        )
        assert not [*Path().rglob("report.html")]

    def test_with_an_output_the_file_is_written_too(self, writeup: Tracker) -> None:
        assert writeup("report", "--log", "--output", "r.json").status == 1  # its artifacts are elsewhere
        assert Path("r.json").exists()

    def test_the_page_has_the_clips_to_listen_to(self, tracker: Tracker, log_run: LogRun, genres: Path) -> None:
        log_run("1101", data=str(genres))
        assert tracker("report", "--log", "--audio", "3").status == 0
        (page,) = Path("mlruns").rglob("report.html")
        assert "has changed since the runs were trained" in page.read_text()

    @pytest.mark.parametrize("words", [("--check", "r.md"), ("--experiment", "a", "--experiment", "b")])
    def test_what_cannot_be_logged_is_wrong_usage(self, tracker: Tracker, words: tuple[str, ...]) -> None:
        Path("r.md").touch()
        result = tracker("report", "--log", *words)
        assert (result.status, result.out) == (2, "")
        assert "--log" in result.err


class TestCheck:
    def check(self, tracker: Tracker, *options: str) -> Result:
        return tracker("report", "--check", "docs/REPORT", *options)

    @pytest.mark.parametrize("form", ["markdown", "html", "json", "summary"])
    def test_an_unchanged_report_passes_in_silence(self, writeup: Tracker, form: str) -> None:
        writeup("report", "--format", form, "--output", "docs/REPORT")
        result = self.check(writeup, "--format", form)
        assert (result.status, result.out, result.err) == (0, "", "")

    def test_a_different_report_exits_1_and_prints_the_difference(self, writeup: Tracker) -> None:
        writeup("report", "--output", "docs/REPORT")
        text = Path("docs/REPORT").read_text()
        Path("docs/REPORT").write_text(text.replace("26/30", "30/30"))
        result = self.check(writeup)
        assert result.status == 1
        changed = [line for line in result.out.splitlines() if re.match("[-+](?![-+])", line)]
        assert changed
        assert all("30/30" in line if line[0] == "-" else "26/30" in line for line in changed)
        assert "--output docs/REPORT" in result.err

    def test_nothing_is_written(self, writeup: Tracker) -> None:
        Path("docs").mkdir()
        Path("docs/REPORT").write_text("old\n")
        before = sorted(os.walk("."))
        assert self.check(writeup).status == 1
        assert sorted(os.walk(".")) == before
        assert Path("docs/REPORT").read_text() == "old\n"

    def test_a_missing_file_is_wrong_usage(self, writeup: Tracker) -> None:
        result = self.check(writeup)
        assert (result.status, result.out) == (2, "")
        assert "docs/REPORT" in result.err


class TestMaxBytes:
    def test_a_summary_that_fits_is_printed_whole(self, writeup: Tracker) -> None:
        whole = writeup("report", "--format", "summary").out
        assert writeup("report", "--format", "summary", "--max-bytes", "1000000").out == whole

    @pytest.mark.parametrize("part", [0.9, 0.5])
    def test_a_longer_summary_is_cut_to_size(self, writeup: Tracker, part: float) -> None:
        whole = writeup("report", "--format", "summary").out
        limit = int(len(whole.encode()) * part)
        cut = writeup("report", "--format", "summary", "--max-bytes", limit).out
        assert 0 < len(cut.encode()) <= limit
        assert cut != whole

    @pytest.mark.parametrize("form", ["markdown", "html", "json"])
    def test_another_format_is_refused(self, tracker: Tracker, form: str) -> None:
        result = tracker("report", "--format", form, "--max-bytes", "10")
        assert (result.status, result.out) == (2, "")
        assert "--max-bytes is for --format summary only" in result.err

    @pytest.mark.parametrize("value", ["0", "-5", "many"])
    def test_anything_but_a_whole_number_from_1_is_refused(self, writeup: Tracker, value: str) -> None:
        result = writeup("report", "--format", "summary", "--max-bytes", value)
        assert (result.status, result.out) == (2, "")
        assert f"'--max-bytes': must be a whole number, 1 to 1,000,000,000, got '{value}'" in result.err


class TestAudio:
    def test_data_that_is_not_the_runs_own_is_said_on_the_page(
        self, tracker: Tracker, log_run: LogRun, genres: Path
    ) -> None:
        log_run("1101", data=str(genres))
        result = tracker("report", "--format", "html", "--audio", "3")
        assert result.status == 0, result.err
        assert "has changed since the runs were trained" in result.out
        assert "<audio" not in result.out

    @pytest.mark.parametrize("form", ["markdown", "pdf", "latex", "csv", "json", "summary"])
    def test_another_format_is_refused(self, tracker: Tracker, form: str) -> None:
        result = tracker("report", "--format", form, "--audio", "3")
        assert (result.status, result.out) == (2, "")
        assert "--audio is for --format html only" in result.err

    @pytest.mark.parametrize("value", ["0", "21", "many"])
    def test_anything_but_a_whole_number_from_1_to_20_is_refused(self, writeup: Tracker, value: str) -> None:
        result = writeup("report", "--format", "html", "--audio", value)
        assert (result.status, result.out) == (2, "")
        assert f"'--audio': must be a whole number, 1 to 20, got '{value}'" in result.err


class TestInteractive:
    def test_the_page_has_a_script_then_and_only_then(self, writeup: Tracker) -> None:
        plain, interactive = (writeup("report", "--format", "html", *more).out for more in ((), ("--interactive",)))
        assert ("<script>" in plain, "<script>" in interactive) == (False, True)
        writeup("report", "--interactive", "--output", "report.html")
        assert Path("report.html").read_text() == interactive
        assert writeup("report", "--interactive", "--check", "report.html").status == 0

    @pytest.mark.parametrize("form", ["markdown", "pdf", "csv", "json", "summary"])
    def test_another_format_is_refused(self, tracker: Tracker, form: str) -> None:
        result = tracker("report", "--format", form, "--interactive")
        assert (result.status, result.out) == (2, "")
        assert "--interactive is for --format html only" in result.err
        assert result.err.count("\n") == 1


def test_an_unknown_format_is_refused_with_the_formats(tracker: Tracker) -> None:
    assert tracker("report", "--format", "word").err == (
        "tracker report: Invalid value for '--format': 'word' is not one of 'markdown', 'html', 'pdf', 'latex', 'csv', "
        "'json', 'summary' (see tracker report --help)\n"
    )


@pytest.mark.parametrize(("option", "within"), [("alpha", "0.000001 to 0.5"), ("margin", "above 0 and below 1")])
@pytest.mark.parametrize("value", ["0", "1", "nan", "much"])
def test_a_level_out_of_range_is_refused(tracker: Tracker, option: str, within: str, value: str) -> None:
    result = tracker("report", f"--{option}", value)
    assert (result.status, result.out) == (2, "")
    assert f"'--{option}': must be a number, {within}, got '{value}'" in result.err


@pytest.mark.parametrize("alpha", ["0.000001", "0.5"])
def test_the_ends_of_the_range_of_levels_give_a_report(writeup: Tracker, alpha: str) -> None:
    assert writeup("report", "--alpha", alpha, "--format", "summary").status == 0
    assert writeup("next", "--alpha", alpha).status == 0
