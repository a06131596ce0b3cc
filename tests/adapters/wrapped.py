"""An AWS client that a test watches and spoils: calls that fail, answers that are lost, writers that meet."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError


def client_error(code: str, operation: str = "PutItem") -> ClientError:
    """What boto3 raises when AWS answers with the code."""
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, operation)


def no_answer() -> ReadTimeoutError:
    """What boto3 raises when no answer came, even after its own retries."""
    return ReadTimeoutError(endpoint_url="http://127.0.0.1")


class Wrapped:
    """A client whose calls are kept in `calls`; they happen one at a time unless what is behind it sees to that."""

    def __init__(self, client: Any, *, one_at_a_time: bool = True) -> None:
        self._client = client
        self._lock: Any = threading.Lock() if one_at_a_time else nullcontext()
        self._before: dict[str, list[Callable[[], object]]] = {}
        self._lost: dict[str, list[Exception]] = {}
        self._resent: dict[str, int] = {}
        self._always: dict[str, Callable[[], object]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def fail(self, operation: str, error: Exception, times: int = 1) -> None:
        """Let the next calls of the operation fail and do nothing."""

        def refuse() -> None:
            raise error

        self._before.setdefault(operation, []).extend([refuse] * times)

    def lose(self, operation: str, times: int = 1) -> None:
        """Let the next calls of the operation do their work, and lose the answer."""
        self._lost.setdefault(operation, []).extend([no_answer()] * times)

    def resend(self, operation: str, times: int = 1) -> None:
        """Let the SDK send the next calls of the operation twice, because the first answer was lost."""
        self._resent[operation] = self._resent.get(operation, 0) + times

    def first(self, operation: str, act: Callable[[], object]) -> None:
        """Do this before the next call of the operation."""
        self._before.setdefault(operation, []).append(act)

    def always(self, operation: str, act: Callable[[], object]) -> None:
        """Do this after each call of the operation; here threads may wait for each other."""
        self._always[operation] = act

    def count(self, operation: str) -> int:
        """How often the operation was called."""
        return sum(name == operation for name, _ in self.calls)

    def __getattr__(self, operation: str) -> Any:
        real = getattr(self._client, operation)

        def call(**arguments: Any) -> Any:
            self.calls.append((operation, arguments))
            if self._before.get(operation):
                self._before[operation].pop(0)()
            with self._lock:
                if self._resent.get(operation):
                    self._resent[operation] -= 1
                    real(**arguments)
                answer = real(**arguments)
            if operation in self._always:
                self._always[operation]()
            if self._lost.get(operation):
                raise self._lost[operation].pop(0)
            return answer

        return real if operation in {"get_paginator", "exceptions", "meta", "generate_presigned_url"} else call
