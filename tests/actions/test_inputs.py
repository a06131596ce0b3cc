"""An action's input is read by what its type is made of, and so is its result written."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import Struct
from pydantic import BaseModel

from actions.ending import returned
from actions.inputs import Input
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
    assert list(schema["$defs"]) == ["Part"]
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


@pytest.mark.parametrize("payload", [None, 1, {"a": [1]}])
def test_anything_is_taken_as_it_is(payload: Any) -> None:
    assert Input(Any).read(payload) is payload
    assert Input(Any).schema() == {}


def test_a_result_keeps_its_decimals_as_a_struct_and_in_a_dictionary() -> None:
    assert returned(Order([Part("a")], Decimal("0.10"))).result == {"parts": [{"item": "a"}], "price": Decimal("0.10")}
    assert returned({"price": Decimal("0.10")}).result == {"price": Decimal("0.10")}
    assert returned(Bill(price=Decimal("0.10"))).result == {"price": "0.10"}
