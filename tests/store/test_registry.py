from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tests.builders import STARTED, send_run
from tracker.errors import StoreError
from tracker.runs.events import Ended
from tracker.store import GoneError
from tracker.store.reader import read_artifact
from tracker.store.registry import register_model

if TYPE_CHECKING:
    from tests.running import Served


class TestRegisterModel:
    @pytest.mark.parametrize("way", ["direct", "http"])
    def test_a_run_has_one_version_whose_words_and_alias_change(self, served: Served, way: str) -> None:
        location, name = getattr(served, way), f"it's {way}"
        first, second = (
            send_run(location, Ended(9, "FINISHED"), started=STARTED, files={"model/data/model.keras": b"k"})
            for _ in range(2)
        )
        done = [
            register_model(location, run_id, "model", name, "best", words, {"tracker.verdict": "none"})
            for run_id, words in ((first, "one"), (second, "two"), (first, "three"))
        ]
        assert done == ["1", "2", "1"]
        client = MlflowClient(served.direct.uri)
        best = client.get_model_version_by_alias(name, "best")
        assert (best.run_id, best.description, best.tags) == (first, "three", {"tracker.verdict": "none"})
        assert best.source.endswith(f"{first}/artifacts/model")
        assert read_artifact(location, first, "model/data/model.keras") == b"k"
        with pytest.raises(GoneError, match=r"has no model/data/other\.keras"):
            read_artifact(location, first, "model/data/other.keras")

    def test_a_name_that_mlflow_refuses_is_said(self, served: Served) -> None:
        with pytest.raises(StoreError, match="1 to 250 characters without / and :, got 'a/b'"):
            register_model(served.direct, "0" * 32, "model", "a/b", "best", "", {})
