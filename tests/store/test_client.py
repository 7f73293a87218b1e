from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import ErrorCode
from requests import HTTPError, Response

from tracker.errors import StoreError
from tracker.store import BusyError, GoneError, UnreachableError
from tracker.store.client import MlflowClient, one_line_errors


def answered(status: int) -> HTTPError:
    response = Response()
    response.status_code = status
    return HTTPError("no", response=response)


def kind_of(error: Exception) -> type[Exception]:
    with pytest.raises(StoreError, match=r"^cannot write: ") as raised, one_line_errors("cannot write"):
        raise error
    return raised.type


class TestOneLineErrors:
    @pytest.mark.parametrize(
        "error",
        [
            OSError("No space left on device"),
            MlflowException("API request to http://127.0.0.1:9 failed with exception refused"),
            RestException({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "later"}),
            answered(429),
            answered(502),
        ],
    )
    def test_tell_that_another_try_may_do(self, error: Exception) -> None:
        assert kind_of(error) is UnreachableError

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ("(sqlite3.OperationalError) database is locked", "TEMPORARILY_UNAVAILABLE"),
            ("(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.name", "BAD_REQUEST"),
            ("(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint", "BAD_REQUEST"),
            ("(pymysql.err.IntegrityError) (1062, \"Duplicate entry 'demo' for key 'datasets.name'\")", "BAD_REQUEST"),
        ],
    )
    def test_tell_that_another_wrote_at_the_same_moment(self, said: str, code: str) -> None:
        assert kind_of(MlflowException(said, ErrorCode.Value(code))) is BusyError

    def test_tell_that_something_is_not_there(self) -> None:
        assert kind_of(RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"})) is GoneError

    @pytest.mark.parametrize(
        "error",
        [
            RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}),
            RestException({"error_code": "PERMISSION_DENIED", "message": "no"}),
            MlflowException("file is not a database", ErrorCode.Value("BAD_REQUEST")),
            answered(403),
        ],
    )
    def test_tell_that_it_was_refused(self, error: Exception) -> None:
        assert kind_of(error) is StoreError

    def test_are_of_one_line_without_the_statement(self) -> None:
        advice, kind = "(raised as a result of a flush; use a block)", "(sqlite3.OperationalError)"
        statement = "[SQL: INSERT INTO metrics]\n(Background on this error at: https://sqlalche.me)"
        said = f"{advice} {kind} database is locked\n{statement}"
        with pytest.raises(StoreError, match=r"^cannot write: database is locked$"), one_line_errors("cannot write"):
            raise MlflowException(said)

    def test_say_of_a_connection_what_was_wrong_with_it_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        said = r"^cannot write: Failed to establish a new connection: \[Errno \d+\] Connection refused$"
        with pytest.raises(UnreachableError, match=said), one_line_errors("cannot write"):
            MlflowClient("http://127.0.0.1:9").get_run("ab" * 16)
