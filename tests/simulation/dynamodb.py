"""boto3's DynamoDB client over the in-memory database: the methods that the stores call, and no other."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from tests.simulation.database import Database

Answer = TypeVar("Answer")


class Way(Protocol):
    """How a call travels: what may befall it on the way there and back."""

    def call(self, service: str, operation: str, perform: Callable[[], Answer]) -> Answer:
        """What the call answers, or what the SDK raises once it has given up."""

    def lag(self) -> float:
        """How many seconds old an inconsistent read is."""

    def cut(self) -> int | None:
        """After how many rows a page ends early, if it does."""

    def drop(self) -> bool:
        """Whether a batch leaves one of its rows to be sent again."""


class Plain:
    """Nothing ever goes wrong, and every read is of now."""

    def call(self, service: str, operation: str, perform: Callable[[], Answer]) -> Answer:  # noqa: ARG002
        """The answer."""
        return perform()

    def lag(self) -> float:
        """None at all."""
        return 0.0

    def cut(self) -> int | None:
        """Never."""
        return None

    def drop(self) -> bool:
        """Never."""
        return False


class DynamoDB:
    """The client."""

    def __init__(self, database: Database, way: Way) -> None:
        self._database = database
        self._way = way

    def get_item(self, **given: Any) -> dict[str, Any]:
        """GetItem."""
        return self._call("get_item", lambda: self._database.get_item(**given, lag=self._lag(given)))

    def put_item(self, **given: Any) -> dict[str, Any]:
        """PutItem."""
        return self._call("put_item", lambda: self._database.put_item(**given))

    def update_item(self, **given: Any) -> dict[str, Any]:
        """UpdateItem."""
        return self._call("update_item", lambda: self._database.update_item(**given))

    def delete_item(self, **given: Any) -> dict[str, Any]:
        """DeleteItem."""
        return self._call("delete_item", lambda: self._database.delete_item(**given))

    def query(self, **given: Any) -> dict[str, Any]:
        """Query."""
        return self._call("query", lambda: self._database.query(**given, lag=self._lag(given), cut=self._way.cut()))

    def scan(self, **given: Any) -> dict[str, Any]:
        """Scan."""
        return self._call("scan", lambda: self._database.scan(**given, lag=self._lag(given), cut=self._way.cut()))

    def batch_get_item(self, **given: Any) -> dict[str, Any]:
        """BatchGetItem."""
        return self._call(
            "batch_get_item",
            lambda: self._database.batch_get_item(**given, lag=self._way.lag(), drop=self._way.drop),
        )

    def batch_write_item(self, **given: Any) -> dict[str, Any]:
        """BatchWriteItem."""
        return self._call("batch_write_item", lambda: self._database.batch_write_item(**given, drop=self._way.drop))

    def batch_execute_statement(self, **given: Any) -> dict[str, Any]:
        """BatchExecuteStatement."""
        return self._call(
            "batch_execute_statement",
            lambda: self._database.batch_execute_statement(**given, drop=self._way.drop),
        )

    def transact_write_items(self, **given: Any) -> dict[str, Any]:
        """TransactWriteItems. The SDK's own tries share one token: what was done already is not done again."""
        done: list[dict[str, Any]] = []

        def perform() -> dict[str, Any]:
            if not done:
                done.append(self._database.transact_write_items(**given))
            return done[0]

        return self._call("transact_write_items", perform)

    def get_paginator(self, operation: str) -> "Paginator":
        """The pages of `query` or `scan`."""
        return Paginator({"query": self.query, "scan": self.scan}[operation])

    def _call(self, operation: str, perform: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return self._way.call("dynamodb", operation, perform)

    def _lag(self, given: Mapping[str, Any]) -> float:
        return 0.0 if given.get("ConsistentRead") else self._way.lag()


class Paginator:
    """boto3's paginator: page after page, as they are asked for."""

    def __init__(self, read: Callable[..., dict[str, Any]]) -> None:
        self._read = read

    def paginate(self, PaginationConfig: Mapping[str, int] | None = None, **given: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        """The pages."""
        if PaginationConfig:
            given["Limit"] = PaginationConfig["PageSize"]
        while True:
            page = self._read(**given)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            given["ExclusiveStartKey"] = page["LastEvaluatedKey"]
