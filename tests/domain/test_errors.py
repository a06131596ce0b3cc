import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

import domain.errors
from domain.errors import ErrorCode, NotFound, NotRunnable, RateLimited, Rejected, StreamerError


def tree(root: type[Exception]) -> Iterator[type[Exception]]:
    for child in root.__subclasses__():
        yield child
        yield from tree(child)


def drawn() -> dict[str, tuple[int, str]]:
    """Each class in the picture: how far it is indented, and the code beside it."""
    rows = re.findall(r"^( *)([A-Z]\w+)(?:  +([A-Z_]+))?\b", str(domain.errors.__doc__), re.MULTILINE)
    return {name: (len(indent) // 2, code) for indent, name, code in rows if name != "Every"}


def test_the_picture_of_the_errors_names_exactly_those_that_exist() -> None:
    ours = {error for error in tree(StreamerError) if error.__module__ == domain.errors.__name__}
    depths = {error.__name__: len(error.__mro__) - StreamerError.__mro__.index(Exception) - 3 for error in ours}
    assert {name: depth for name, (depth, _) in drawn().items()} == {"StreamerError": 0, **depths}


def test_the_picture_gives_each_rejection_the_code_it_has() -> None:
    codes = {error.__name__: error.code.value for error in tree(Rejected) if issubclass(error, Rejected)}
    assert {name: code for name, (depth, code) in drawn().items() if depth == 2} == codes


@pytest.mark.parametrize("error", [Rejected, *tree(Rejected)])
def test_every_rejection_has_a_code_and_its_own_words(error: type[Rejected]) -> None:
    assert error.code in ErrorCode
    assert error().told == error.message
    assert error is Rejected or error.message != Rejected.message


def test_every_code_but_that_of_a_fault_of_ours_has_a_rejection() -> None:
    codes = {error.code for error in tree(Rejected) if issubclass(error, Rejected)}
    assert set(ErrorCode) - codes == {ErrorCode.INTERNAL_ERROR}


def test_an_error_tells_its_message_reason_and_context() -> None:
    error = NotRunnable("not due yet", request_id="r-1", attempt=None)
    assert str(error) == "The request cannot be started now (not due yet) request_id=r-1"
    assert error.told == "not due yet"
    assert error.context == {"request_id": "r-1"}
    assert str(NotFound()) == "No such request"


@pytest.mark.parametrize(("microseconds", "told"), [(1, 1), (5000, 5), (5001, 6)])
def test_whoever_is_limited_is_told_when_to_come_again_and_never_too_early(microseconds: int, told: int) -> None:
    limited = RateLimited("slow down", limit="tenant", retry_after=timedelta(microseconds=microseconds), burst=3)
    assert limited.context == {"limit": "tenant", "retry_after_ms": told, "burst": 3}
