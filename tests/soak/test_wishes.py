from collections import Counter
from random import Random

from actions.catalog import catalog
from domain import exact_json
from domain.protocol import client_frame
from tests.soak.wishes import Wish, wish

MANY = 300


def wishes(seed: int) -> list[Wish]:
    random = Random(seed)
    return [wish(random) for _ in range(MANY)]


def test_a_seed_always_leads_to_the_same_wishes() -> None:
    assert wishes(1) == wishes(1)
    assert wishes(1) != wishes(2)


def test_every_wish_is_one_that_the_actions_and_the_protocol_accept() -> None:
    actions = catalog()
    for one in wishes(3):
        actions.get(one.action).read(one.payload)
        frame = {"type": "submit", "id": "1", "action": one.action, "payload": one.payload, **one.options}
        client_frame(exact_json.decode(exact_json.encode(frame)))


def test_there_is_some_of_everything() -> None:
    made = wishes(4)
    assert set(Counter(one.action for one in made)) == {"echo_async", "delay", "process_data"}
    for has in (
        lambda one: one.is_repeated,
        lambda one: one.cancel_after_s is not None,
        lambda one: "delay_s" in one.options,
        lambda one: one.action == "delay" and one.payload.get("fail_permanently"),
        lambda one: one.action == "delay" and one.payload["seconds"] > 5,
    ):
        assert any(map(has, made))
