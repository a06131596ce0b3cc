"""An action's input is read by what its type is made of, and so is its result written."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import Struct
from pydantic import BaseModel
from pydantic.errors import PydanticSchemaGenerationError

from actions.ending import returned
from actions.inputs import Input
from actions.outcomes import Permanent
from domain import exact_json
from domain.errors import InvalidFrame


class Part(Struct):
    """A part of an order."""

    item: str


class Order(Struct, forbid_unknown_fields=True):
    """What is ordered."""

    parts: list[Part]
    price: Decimal = Decimal(0)


class Bill(BaseModel):
    """The same for pydantic."""

    price: Decimal


def test_a_struct_is_read_and_told_as_a_schema() -> None:
    order = Input(Order)
    assert order.read({"parts": [{"item": "a"}], "price": Decimal("0.10")}) == Order([Part("a")], Decimal("0.10"))
    schema = order.schema()
    assert schema["properties"]["parts"]["items"] == {"$ref": "#/$defs/Part"}
    assert schema["$defs"]["Part"]["required"] == ["item"]
    assert "$defs" not in Input(Part).schema()


def test_a_model_is_read_and_told_as_a_schema() -> None:
    bill = Input(Bill)
    assert bill.read({"price": Decimal("0.10")}) == Bill(price=Decimal("0.10"))
    assert list(bill.schema()["properties"]) == ["price"]
    assert Input(dict[str, int]).read({"a": 1}) == {"a": 1}


@pytest.mark.parametrize("kind", [Order, Bill])
def test_what_does_not_fit_is_refused_by_the_names_of_its_fields(kind: type) -> None:
    with pytest.raises(InvalidFrame, match=r"payload\.price: .*") as caught:
        Input(kind).read({"parts": [], "price": ["s3cr3t"]})
    assert "s3cr3t" not in caught.value.told


class Node(Struct):
    """A struct that refers to itself."""

    size: int
    share: float = 0
    below: list["Node"] = []


class Mistaken(Struct):
    """A struct whose own code has a mistake."""

    name: str

    def __post_init__(self) -> None:
        raise TypeError(f"a mistake with {self.name}")


def test_a_schema_that_refers_to_itself_has_what_it_refers_to() -> None:
    schema = Input(Node).schema()
    assert schema["properties"]["below"]["items"] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"]["properties"].keys() == schema["properties"].keys() == {"size", "share", "below"}


@pytest.mark.parametrize("number", [5, Decimal("5.0"), Decimal("5E+0")])
def test_a_whole_number_may_be_written_as_json_schema_allows(number: Any) -> None:
    given = {"size": number, "share": Decimal("0.5"), "below": [{"size": number}]}
    assert Input(Node).read(given) == Node(5, 0.5, [Node(5)])
    with pytest.raises(InvalidFrame, match=r"payload\.size: Expected `int`, got `decimal`"):
        Input(Node).read({"size": Decimal("5.5"), "below": [{"size": number}]})


def test_the_largest_number_that_a_frame_may_have_is_refused_like_any_other() -> None:
    largest = Decimal(f"1E+{exact_json.FRAME_DIGITS}")  # Python writes no integer of so many digits
    with pytest.raises(InvalidFrame, match=r"payload\.below: Expected `array`, got `int`"):
        Input(Node).read({"size": 1, "below": largest})


def test_a_type_that_nobody_can_read_is_found_when_it_is_registered() -> None:
    with pytest.raises(PydanticSchemaGenerationError):
        Input(list[Node])


def test_a_mistake_in_an_inputs_own_code_is_nobody_elses() -> None:
    with pytest.raises(TypeError, match="a mistake"):
        Input(Mistaken).read({"name": "a"})


@pytest.mark.parametrize("payload", [None, 1, {"a": [1]}])
def test_anything_is_taken_as_it_is(payload: Any) -> None:
    assert Input(Any).read(payload) is payload
    assert Input(Any).schema() == {}


@pytest.mark.parametrize("part", [object(), Bill(price=Decimal(1)), 1j])
def test_a_struct_that_json_cannot_hold_is_no_result(part: Any) -> None:
    class Odd(Struct):
        part: Any

    with pytest.raises(Permanent, match="not JSON"):
        returned(Odd(part))


def test_a_result_keeps_its_decimals_as_a_struct_and_in_a_dictionary() -> None:
    assert returned(Order([Part("a")], Decimal("0.10"))).result == {"parts": [{"item": "a"}], "price": Decimal("0.10")}
    assert returned({"price": Decimal("0.10")}).result == {"price": Decimal("0.10")}
    assert returned(Bill(price=Decimal("0.10"))).result == {"price": "0.10"}
