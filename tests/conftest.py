"""What every test can ask for: a place for a store of its own, and the builders as fixtures."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests import builders
from tests.sparing import collect_garbage_seldom, compile_tests, freeze_modules, remember_migrations
from tracker.store.location import Location, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page
    from xdist.remote import Producer
    from xdist.scheduler.protocol import Scheduling
    from xdist.workermanage import WorkerController

    from tests.builders import Grid, MakeRun, MakeRuns, MakeStudy, Params
    from tests.running import Served
    from tests.servers import Server
    from tracker.runs import Run


def pytest_configure(config: pytest.Config) -> None:
    """Let a worker fork from the one process that has the heavy libraries loaded, if there is one for all workers."""
    collect_garbage_seldom()
    os.environ.pop(BACKEND, None)  # before any test is imported that imports Keras
    if address := getattr(config, "workerinput", {}).get("fork_server"):
        from tests.processes import use_fork_server

        use_fork_server(address)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Load the heavy libraries and compile the tests once for all workers, if they are to run all: it takes 18 s."""
    if node.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        from tests.processes import start_fork_server

        node.workerinput["fork_server"] = start_fork_server()
        compile_tests(node.config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Give a worker all tests of a group or else of a file, so that what they share is made once; the groups first."""
    if config.getvalue("dist") != "loadgroup":
        return None

    from xdist.scheduler import LoadGroupScheduling

    class ByGroupOrFile(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope = super()._split_scope(nodeid)
            return scope.split("::")[0] if scope == nodeid else scope

    config.option.loadscopereorder = False  # which would begin with those of the most tests
    return ByGroupOrFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of one server, of one browser and of what other packages compute on one worker each."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        oracles = "statistics" if item.path.parent.name == "statistics" else None
        group = "processes" if "one_server" in names else "browser" if "browser" in names else oracles
        if group and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))
    if hasattr(config, "workerinput"):  # groups take longest, so they are begun first
        items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


BACKEND = "KERAS_BACKEND"
COLLECTED = pytest.StashKey[frozenset[str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[COLLECTED] = frozenset(sys.modules)
    freeze_modules()


def pytest_runtest_setup() -> None:
    """Begin each test as if no other one had run in this process: importing Keras names its backend."""
    remember_migrations()
    os.environ.pop(BACKEND, None)


@pytest.fixture
def modules_of_collection(pytestconfig: pytest.Config) -> frozenset[str]:
    """What was imported once all tests were collected."""
    return pytestconfig.stash[COLLECTED]


@pytest.fixture
def location(tmp_path: Path) -> Location:
    """Where a store would be: nothing is there yet, and making it takes milliseconds."""
    return locate(None, tmp_path)


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from tests.servers import Server

    server = Server(tmp_path_factory.mktemp("served"))
    yield server
    server.kill()


@pytest.fixture
def server(one_server: Server) -> Server:
    """A server that answers; a test may kill it."""
    one_server.start()
    return one_server


@pytest.fixture
def served(server: Server) -> Served:
    """A store with MLflow's UI running on it."""
    return server.ways


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all pages: it takes seconds to start."""
    from playwright.sync_api import sync_playwright

    from tests.running import CHROMIUM

    off = ("gpu", "quic", "background-networking", "component-update", "sync")
    quiet = ["--no-sandbox", "--no-first-run", *(f"--disable-{what}" for what in off)]  # the first is for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def seen(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Page, list[str]]]:
    """Show a page as it was when it was opened, once for all tests that only look at it: ``seen(text, width=390)``."""
    from tests.render.test_in_browser import opened

    @cache
    def once(text: str) -> tuple[Page, list[str], list[bool]]:
        page, complaints = opened(browser, text, tmp_path_factory.mktemp("page"))
        return page, complaints, page.evaluate("[...document.querySelectorAll('details')].map(fold => fold.open)")

    def show(text: str, *, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
        page, complaints, folds = once(text)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, media="null")
        page.evaluate("all => document.querySelectorAll('details').forEach((fold, i) => { fold.open = all[i] })", folds)
        return page, complaints

    return show


@pytest.fixture(scope="session")
def made() -> MakeRun:
    return builders.make_run


@pytest.fixture(scope="session")
def studied() -> MakeStudy:
    return builders.make_study


@pytest.fixture(scope="session")
def by_kernel() -> MakeRuns:
    return builders.runs_by_kernel


@pytest.fixture(scope="session")
def on_folds() -> MakeRuns:
    """Make runs of several kernels on three folds, from what each has correct."""
    return lambda correct: builders.runs_on_sets(correct, lambda position: {"fold": f"{position + 1}/3"})


@pytest.fixture(scope="session")
def on_splits() -> MakeRuns:
    """Make runs of several kernels on several splits, from what each has correct."""
    return lambda correct: builders.runs_on_sets(correct, lambda position: {"split_seed": str(position)})


@pytest.fixture(scope="session")
def gone_on() -> Run:
    return builders.diverged_run()


@pytest.fixture
def writeup() -> list[Run]:
    return builders.writeup_runs()


@pytest.fixture(scope="session")
def writeup_params() -> Params:
    """The writeup's params, one learning rate written in another way."""
    first, second, *rest = builders.WRITEUP_PARAMS
    return first, second | {"learning_rate": "1e-4"}, *rest


@pytest.fixture(scope="session")
def grid() -> Grid:
    return builders.grid


@pytest.fixture
def genres(tmp_path: Path) -> Path:
    """A folder of two classes with ten one-second clips each."""
    for label, hertz in (("high", 2_000.0), ("low", 200.0)):
        for number in range(10):
            builders.write_tone(tmp_path / "genres" / label / f"{number}.wav", hertz * (1 + number / 50), seed=number)
    return tmp_path / "genres"
