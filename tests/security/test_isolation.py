"""No sequence of frames shows or changes anything of another tenant, or of another user without the scope.

An attacker sends what a client may send, with a victim's request ids, topics, cursors and idempotency keys in it. Then
the victim's rows, objects and tokens are byte for byte what they were, and nothing that was posted to the attacker, in
reply or by the fan-out while the victim works on, has a word of the victim's in it.
"""

import base64
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import pytest

from adapters import request_queue, request_view
from adapters.clock import keyed_request_id
from domain import exact_json
from domain.errors import NotFound
from domain.identity import TENANT_READ, TENANT_WRITE, Identity
from domain.recorded import Head
from handlers import audit_trail, bootstrap, explaining, readings, replies
from tests.kit.clock import START
from tests.security.house import House, Kept

MARKER: Final = "V1CT1M"
KEY: Final = "the same key"
SOCKET: Final = "attacker-socket"
ATTACKS: Final = 200
ABSENT: Final = object()
Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Victim:
    """Somebody whose things nobody else may see, and what an attacker may have learnt of them."""

    tenant_id: str
    user_id: str
    socket: str
    request_ids: Sequence[str]
    cursors: Sequence[str]

    @property
    def words(self) -> tuple[str, ...]:
        """What is in everything of the victim's."""
        return (MARKER, self.user_id, self.socket, *self.request_ids)


@dataclass(frozen=True, slots=True)
class Scene:
    """A house in which a victim and an attacker live, and what it was like before the attack."""

    house: House
    victim: Victim
    kept: Kept
    own_request: str

    def belongings(self) -> tuple[list[str], dict[tuple[str, str], bytes]]:
        """Everything that is the victim's: the rows that name them or theirs, and the objects in their folder."""
        words = self.victim.words
        told = [f"{table} {key} {row}" for table, key, row in self.house.rows()]
        objects = {key: content for key, content in self.house.files.objects.items() if self.victim.user_id in key[1]}
        return sorted(row for row in told if any(word in row for word in words)), objects


@cache
def staged(tenant_id: str) -> Scene:
    """The attacker is ann of acme; the victim is of the tenant that is given."""
    house = House()
    with house.open():
        victim = _victim(house, tenant_id)
        attacker = house.claims("acme", "ann")
        house.connected(SOCKET, attacker)
        own = house.say(SOCKET, attacker, "submit", action="echo_async", payload=1, idempotency_key=KEY)["request_id"]
        house.deliver()
        house.forget()
        return Scene(house, victim, house.keep(), own)


def _victim(house: House, tenant_id: str) -> Victim:
    user_id, socket = "bella-the-victim", "socket-of-the-victim"
    claims = house.claims(tenant_id, user_id, TENANT_READ, TENANT_WRITE)
    house.connected(socket, claims)

    def submit(action: str, **fields: Any) -> str:
        request_id: str = house.say(socket, claims, "submit", action=action, **fields)["request_id"]
        return request_id

    inline = submit("echo_async", payload=MARKER, metadata={"about": MARKER})
    large = submit("echo_async", payload=MARKER * 5000)
    house.deliver()
    house.work_all()
    waiting = submit("echo_async", payload=MARKER, delay_s=600, idempotency_key=KEY)
    house.say(socket, claims, "subscribe", topic=f"tenant#{tenant_id}")
    house.say(socket, claims, "subscribe", topic=f"user#{tenant_id}#{user_id}")
    house.deliver()
    pages = [
        house.say(socket, claims, "list", limit=1),
        house.say(socket, claims, "list", limit=1, scope="tenant"),
        house.say(socket, claims, "audit", day=START.date().isoformat(), limit=1),
    ]
    assert house.say(socket, claims, "get", request_id=large)["result_url"]
    return Victim(tenant_id, user_id, socket, (inline, large, waiting), [page["cursor"] for page in pages])


def forged_cursor(victim: Victim) -> str:
    """A cursor that names the victim's partitions."""
    place = {"user_key": f"{victim.tenant_id}#{victim.user_id}", "tenant_id": victim.tenant_id}
    place |= {"request_id": victim.request_ids[0], "submitted_at": "2026-11-22T09:00:00.000Z"}
    return base64.urlsafe_b64encode(json.dumps({name: {"S": text} for name, text in place.items()}).encode()).decode()


def attack(scene: Scene, seed: int) -> tuple[list[str], list[Frame]]:
    """The scopes of an attacker and the frames that they send: all of it by the seed."""
    rng = random.Random(seed)
    kinds = kinds_of(scene)
    scopes = rng.choice([[], [TENANT_READ], [TENANT_WRITE], [TENANT_READ, TENANT_WRITE]])
    return scopes, [_drawn(rng, rng.choice(kinds)) for _ in range(rng.randint(1, 12))]


def _drawn(rng: random.Random, fields: Mapping[str, Sequence[Any]]) -> Frame:
    """A frame with one of the values of each field; ABSENT leaves it out."""
    drawn = {name: rng.choice(values) for name, values in fields.items()}
    if "items" in drawn:
        drawn["items"] = [_drawn(rng, drawn["items"]) for _ in range(rng.randint(1, 3))]
    return {name: value for name, value in drawn.items() if value is not ABSENT}


def kinds_of(scene: Scene) -> list[dict[str, Sequence[Any]]]:
    """What there may be in the fields of each kind of frame, aimed at the victim mostly."""
    victim = scene.victim
    ids = [*victim.request_ids, *victim.request_ids, scene.own_request]
    keys = [KEY, "another key", ABSENT]
    theirs = (f"tenant#{victim.tenant_id}", f"user#{victim.tenant_id}#{victim.user_id}")
    topics = [*theirs, "user#acme#bob", "tenant#acme", "user#acme#ann"]
    cursors = [*victim.cursors, forged_cursor(victim), "0", "2", ABSENT]
    instants = ["2026-11-21T00:00:00Z", "2026-11-22T08:24:00Z", "2026-11-22T09:00:00Z"]
    limits, versions = [1, 2, 200], [0, 1, 2, 3, 4, ABSENT]
    submit: dict[str, Sequence[Any]] = {
        "type": ["submit"],
        "action": ["echo_async", "echo_async", "echo", "process_data"],
        "payload": ["mine", {"csv": "a\n1"}, None],
        "idempotency_key": keys,
        "submission_id": keys,
        "subscribe": [True, False],
        "delay_s": [0, 600],
    }
    return [
        submit,
        {"type": ["submit_batch"], "items": [submit]},
        {"type": ["subscribe"], "request_id": ids, "after": versions},
        {"type": ["subscribe"], "topic": topics, "since": [*instants, ABSENT]},
        {"type": ["unsubscribe"], "request_id": ids},
        {"type": ["unsubscribe"], "topic": topics},
        {"type": ["cancel"], "request_id": ids},
        {"type": ["get"], "request_id": ids, "at_version": [1, 2, 4, ABSENT]},
        {"type": ["get"], "request_id": ids, "at": instants},
        {"type": ["explain"], "request_id": ids},
        {"type": ["history"], "request_id": ids, "after": versions, "limit": limits},
        {
            "type": ["list"],
            "scope": ["own", "tenant"],
            "limit": limits,
            "cursor": cursors,
            "status": ["PENDING", "COMPLETED", ABSENT],
        },
        {
            "type": ["metrics"],
            "from": instants,
            "to": instants,
            "action": ["echo_async", f"{victim.tenant_id}#echo_async", "#", ABSENT],
        },
        {
            "type": ["audit"],
            "day": ["2026-11-22"],
            "limit": limits,
            "cursor": cursors,
            "user_id": [victim.user_id, "ann", ABSENT],
        },
        {"type": ["audit"], "request_id": ids, "cursor": cursors},
        {"type": ["actions"]},
        {"type": ["ping"]},
    ]


def harm(scene: Scene, scopes: Sequence[str], attack: Sequence[Frame]) -> list[str]:
    """What an attack shows or changes of the victim's; nothing, if all is well."""
    house, victim = scene.house, scene.victim
    house.put_back(scene.kept)
    before = scene.belongings()
    attacker = house.claims("acme", "ann", *scopes)
    told = []
    for frame in attack:
        answer = exact_json.decode(house.raw(SOCKET, attacker, exact_json.encode(frame)))
        if answer.get("code") == "INTERNAL_ERROR":
            told.append(f"{frame}: {answer}")
    told += _differences(before, scene.belongings())
    house.deliver()
    told += [f"woken: {body}" for body in house.queue.sent if any(name in body for name in victim.request_ids)]
    house.work_all()
    told += _differences(before, scene.belongings())
    _go_on(house, victim)
    shown = [text for to, text in house.sockets.posted if to == SOCKET]
    # Request ids are echoed to whoever names them; within a tenant an explanation names the sockets that watch.
    theirs = (MARKER, victim.user_id, *([victim.socket] if victim.tenant_id != "acme" else []))
    return told + [f"shown: {text}" for text in shown if any(word in text for word in theirs)]


def _differences(before: tuple[list[str], Any], after: tuple[list[str], Any]) -> list[str]:
    rows = [f"gone: {row}" for row in before[0] if row not in after[0]]
    rows += [f"new: {row}" for row in after[0] if row not in before[0]]
    return rows + (["objects"] if before[1] != after[1] else [])


def _go_on(house: House, victim: Victim) -> None:
    """Let the victim's requests go on, so that whoever watches them is told."""
    claims = house.claims(victim.tenant_id, victim.user_id)
    house.say(victim.socket, claims, "submit", action="echo_async", payload=MARKER)
    house.say(victim.socket, claims, "cancel", request_id=victim.request_ids[-1], reason=MARKER)
    house.deliver()


def first_harm(scene: Scene, *, scopes: bool = True) -> list[str]:
    """What the first attack that does harm does, by as few of its frames as do it; nothing when none does."""
    for seed in range(ATTACKS):
        held, sent = attack(scene, seed)
        held = held if scopes else []
        if harm(scene, held, sent):
            for frame in list(sent):
                fewer = [one for one in sent if one is not frame]
                sent = fewer if harm(scene, held, fewer) else sent
            return [f"seed {seed}", f"scopes {held}", *map(str, sent), *harm(scene, held, sent)]
    return []


@pytest.fixture
def strangers() -> Iterator[Scene]:
    """A victim of another tenant."""
    scene = staged("umbrella")
    with scene.house.open():
        yield scene


@pytest.fixture
def colleagues() -> Iterator[Scene]:
    """A victim of the attacker's own tenant."""
    scene = staged("acme")
    with scene.house.open():
        yield scene


def test_no_frames_show_or_change_anything_of_another_tenant(strangers: Scene) -> None:
    assert first_harm(strangers) == []


def test_no_frames_show_or_change_anything_of_another_user_without_a_scope(colleagues: Scene) -> None:
    assert first_harm(colleagues, scopes=False) == []


def test_the_scopes_open_what_they_say(colleagues: Scene) -> None:
    read = harm(colleagues, [TENANT_READ], [{"type": "get", "request_id": colleagues.victim.request_ids[0]}])
    assert [told.partition(":")[0] for told in read] == ["shown"]
    cancelled = harm(colleagues, [TENANT_WRITE], [{"type": "cancel", "request_id": colleagues.victim.request_ids[2]}])
    assert {told.partition(":")[0] for told in cancelled} >= {"gone", "new"}


def _any_tenant(self: Identity, _: str, user_id: str, scope: str) -> None:
    """Access without a look at the tenant."""
    if user_id != self.user_id:
        self.require(scope)


def _any_user(self: Identity, tenant_id: str, _: str, __: str) -> None:
    """Access without a look at the user."""
    if tenant_id != self.tenant_id:
        raise NotFound


def _unasked(identity: Identity, request_id: str, scope: str = TENANT_READ) -> Head:  # noqa: ARG001
    """The request, whoever asks."""
    return bootstrap.queue().get(request_id)


def _of_whoever_is_named(self: request_view.RequestView, *_: Any) -> request_view.Page:
    """A list of the tenant that the attacker is after."""
    return self.by_tenant("umbrella", START, 200)


BROKEN_FOR_TENANTS: Final[Mapping[str, Any]] = {
    "access without a look at the tenant": (Identity, "require_access", _any_tenant),
    "a reading that asks nobody": (readings, "request_for", _unasked),
    "an audit that asks nobody": (audit_trail, "request_for", _unasked),
    "an explanation that asks nobody": (explaining, "request_for", _unasked),
    "a topic that anybody may watch": (replies, "authorized_topic", lambda topic, _: topic),
    "a key that is the same for every tenant": (
        request_queue,
        "keyed_request_id",
        lambda _, __, key: keyed_request_id("umbrella", "bella-the-victim", key),
    ),
    "a list of another tenant": (request_view.RequestView, "by_user", _of_whoever_is_named),
}


@pytest.mark.parametrize("twin", BROKEN_FOR_TENANTS)
def test_a_broken_twin_is_caught_at_the_door_between_tenants(strangers: Scene, twin: str) -> None:
    with patch.object(*BROKEN_FOR_TENANTS[twin]):
        assert first_harm(strangers) != []


BROKEN_FOR_USERS: Final[Mapping[str, Any]] = {
    "access without a look at the user": (Identity, "require_access", _any_user),
    "scopes that everybody has": (Identity, "require", lambda *_: None),
    "a key that is the same for every user": (
        request_queue,
        "keyed_request_id",
        lambda tenant_id, _, key: keyed_request_id(tenant_id, "bella-the-victim", key),
    ),
}


@pytest.mark.parametrize("twin", BROKEN_FOR_USERS)
def test_a_broken_twin_is_caught_at_the_door_between_users(colleagues: Scene, twin: str) -> None:
    with patch.object(*BROKEN_FOR_USERS[twin]):
        assert first_harm(colleagues, scopes=False) != []
