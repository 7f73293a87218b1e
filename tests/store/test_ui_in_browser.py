"""MLflow's own UI on a run as tracker writes it, seen as a person sees it.

Screenshots are left in the test's temporary folder.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
import requests
from mlflow import MlflowClient

from tests.builders import START, STARTED, random_predictions, send_run
from tests.lazy import Lazy
from tests.running import CHROMIUM
from tracker.recording.reports import build_report, log_report
from tracker.recording.stores import find_store, load_runs
from tracker.runs.events import DatasetUsed, Ended, EpochDone, Measured, Tagged
from tracker.store import VALIDATION, predictions_csv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

    from tests.servers import Server

Figure = Lazy("matplotlib.figure", "Figure")
expect = Lazy("playwright.sync_api", "expect")

NO_ASSISTANT = "localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false')"

PATIENCE_MS = 30_000

NAME = "k7-lr0.0001-plateau0.3x10-stop15-s0"
NOTE = """**What was hard:** the two jazz recordings that sound like blues.

<!-- tracker: what came out -->

| | |
|---|---|
| validation accuracy | 25 of 30 clips |
| best epoch | 24 of 44 |
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian's package chromium)")


def png(title: str, size: tuple[int, int]) -> bytes:
    figure = Figure(figsize=size, dpi=100)
    axes = figure.subplots()
    axes.plot([1, 2, 3], [1.0, 0.6, 0.45])
    axes.set_title(title)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


class Shown(NamedTuple):
    """A run in the UI."""

    address: str
    experiment_id: str
    run_id: str

    @property
    def page(self) -> str:
        return f"{self.address}/#/experiments/{self.experiment_id}/runs/{self.run_id}"


@pytest.fixture(scope="module")
def shown(one_server: Server) -> Shown:
    """A run as `tracker run` writes it."""
    one_server.start()
    served = one_server.ways
    params = {"kernel_size": "7", "learning_rate": "0.0001", "early_stopping_patience": "15", "seed": "0"}
    tags = {"mlflow.user": "ada", "tracker.validation_clips": "30"}
    used = tuple(
        DatasetUsed("genres", "abc123" * 6, "/data", context, ("blues", "jazz"), clips)
        for context, clips in (("training", 120), ("validation", 30))
    )
    started = replace(STARTED, experiment="browser", name=NAME, params=params, tags=tags, datasets=used)
    files = {
        VALIDATION: predictions_csv(random_predictions()).encode(),
        "curves.png": png("Loss by epoch", (6, 4)),
        "confusion.png": png("Confusion", (4, 4)),
    }
    events = [EpochDone(START + 1_000 * epoch, epoch, metrics(0.95**epoch)) for epoch in range(1, 45)]
    once = Measured(START + 45_000, {"best_epoch": 24, "best_val_loss": 0.40432727336883545})
    rest = [once, Tagged({"mlflow.note.content": NOTE}), Ended(START + 46_000, "FINISHED")]
    run_id = send_run(served.direct, *events, *rest, started=started, files=files)
    run = MlflowClient(served.direct.uri).get_run(run_id)
    return Shown(served.http.uri, run.info.experiment_id, run_id)


def metrics(decay: float) -> dict[str, float]:
    return {"loss": decay, "val_loss": 0.4 + 0.6 * decay, "val_accuracy": 0.83 * (1 - decay)}


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(NO_ASSISTANT)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, tmp_path: Path) -> Iterator[Page]:
    page = context.new_page()
    yield page
    page.screenshot(path=tmp_path / "page.png")
    page.close()


def assert_visible(*texts: Locator) -> None:
    for text in texts:
        expect(text.first).to_be_visible(timeout=PATIENCE_MS)


class TestRunOverRest:
    def test_run_over_rest_is_all_there(self, shown: Shown) -> None:
        api = f"{shown.address}/api/2.0/mlflow"
        run = requests.get(f"{api}/runs/get", {"run_id": shown.run_id}, timeout=30).json()["run"]
        assert (run["info"]["run_name"], run["info"]["status"]) == (NAME, "FINISHED")
        assert {"key": "early_stopping_patience", "value": "15"} in run["data"]["params"]
        latest = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
        assert latest["best_val_loss"] == 0.40432727336883545
        assert {one["tags"][0]["value"] for one in run["inputs"]["dataset_inputs"]} == {"training", "validation"}
        files = requests.get(f"{api}/artifacts/list", {"run_id": shown.run_id}, timeout=30).json()["files"]
        assert [found["path"] for found in files] == ["confusion.png", "curves.png", "predictions"]


class TestRunInBrowser:
    def test_run_in_browser_shows_params_metrics_dataset_and_the_note_as_written(
        self, page: Page, shown: Shown
    ) -> None:
        page.goto(shown.page)
        assert_visible(
            page.get_by_role("heading", name=NAME),
            page.get_by_text("Finished", exact=True),
            page.get_by_text("ada", exact=True),
            page.get_by_text("genres (abc123abc123-training)"),
            page.locator("strong", has_text="What was hard:"),
            page.get_by_role("cell", name="25 of 30 clips"),
            page.get_by_text("early_stopping_patience"),
            page.get_by_text("0.40432727336883545"),
        )
        expect(page.get_by_text("what came out -->")).to_have_count(0)

    def test_run_in_browser_draws_every_metric_by_epoch(self, page: Page, shown: Shown) -> None:
        page.goto(f"{shown.page}/model-metrics")
        curves = page.locator(".js-plotly-plot", has=page.locator(".scatterlayer .trace"))
        expect(curves).to_have_count(3, timeout=PATIENCE_MS)
        assert_visible(*(page.get_by_text(f"{NAME} ({metric})") for metric in ("loss", "val_loss", "val_accuracy")))

    @pytest.mark.parametrize(("file", "width"), [("curves.png", 600), ("confusion.png", 400)])
    def test_run_in_browser_shows_the_pictures(self, page: Page, shown: Shown, file: str, width: int) -> None:
        page.goto(f"{shown.page}/artifacts")
        page.get_by_text(file, exact=True).click()
        picture = page.locator("img[src^='blob:'], img[src*='get-artifact']")
        assert_visible(picture)
        page.wait_for_function("image => image.complete && image.naturalWidth", arg=picture.first.element_handle())
        assert picture.first.evaluate("image => image.naturalWidth") == width

    def test_run_in_browser_is_listed_among_the_trainings_of_its_experiment(self, page: Page, shown: Shown) -> None:
        page.goto(f"{shown.address}/#/experiments/{shown.experiment_id}/runs")
        assert_visible(page.get_by_role("heading", name="Training runs"), page.get_by_role("link", name=NAME))


class TestReportInBrowser:
    @pytest.fixture(scope="class")
    def finding(self, shown: Shown, one_server: Server) -> str:
        """The finding of a report that was logged through the server."""
        store = find_store(one_server.uri)
        runs = load_runs(store, "browser")
        report = build_report(runs)
        assert log_report(report, runs).run_id == shown.run_id
        return report.title

    def test_report_in_browser_is_a_page_among_the_artifacts_of_the_run(
        self, page: Page, shown: Shown, finding: str
    ) -> None:
        page.goto(f"{shown.page}/artifacts")
        page.get_by_text("report.html", exact=True).click()
        heading = page.frame_locator("iframe").get_by_role("heading", level=1, name=finding)
        assert_visible(heading)

    def test_report_in_browser_is_the_description_of_its_experiment(
        self, page: Page, shown: Shown, finding: str
    ) -> None:
        page.goto(f"{shown.address}/#/experiments/{shown.experiment_id}/runs")
        assert_visible(page.get_by_text(finding))
