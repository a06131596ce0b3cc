"""Mutated frames, tokens, stream records and stored rows, as many as one likes: nothing raises, memory is bounded.

`make fuzz [N=100000] [SEED=1]`. Each input is made by its own number of the seed: `--only` runs one of them again. What
is judged: a frame is answered by one frame that is no INTERNAL_ERROR; a token that the key did not sign opens nothing;
a batch with a bad record is handled or told as not handled; a bad row makes an answer, and what was wrong with it is
known (Undecodable), not an accident.
"""

import argparse
import base64
import hashlib
import hmac
import json
import random
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain import exact_json
from domain.errors import InvalidJson, StreamerError
from domain.identity import TENANT_READ, TENANT_WRITE
from domain.protocol import server_frame
from local.template import PROJECT
from tests.handlers.tokens import KEY, claims
from tests.security.house import ARN, House, Kept, Record
from tests.security.mutations import Mutator

SOCKET: Final = "socket-of-ann"
GROWTH_MB: Final = 200  # that the process may grow by, beyond what it has once it is warm
WARM: Final = 500  # inputs until then
KEPT: Final = 100_000  # inputs from which on the figures are worth keeping
PAGE: Final = PROJECT / "docs" / "threat-model.md"
BEGIN: Final = "<!-- fuzz: `make fuzz` writes what is below -->"
END: Final = "<!-- fuzz ends -->"


class Wrong(AssertionError):
    """An input that was not dealt with as it should be."""


@dataclass(slots=True)
class Tally:
    """What a run did."""

    inputs: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    grown_mb: float = 0.0


class Fuzzer:
    """A house with something of everything in it, and what is valid there."""

    def __init__(self, seed: int) -> None:
        self.house = House()
        self._seed = seed
        self._kept: Kept
        self._records: list[Record]
        self._claims: dict[str, str]

    def run(self, numbers: Sequence[int], told: Callable[[int, Tally], None] = lambda *_: None) -> Tally:
        """Run the inputs of these numbers."""
        tally = Tally()
        warm = peak = 0
        with self.house.open():
            self._furnish()
            for place, number in enumerate(numbers):
                name, try_one = self.kinds[number % len(self.kinds)]
                rng = random.Random(f"{self._seed}/{number}")
                tally.inputs[name] += 1
                try:
                    tally.outcomes[f"{name}: {try_one(self, rng)}"] += 1
                except Exception as exc:  # noqa: BLE001 - each is a finding, and the next input is another one
                    where = traceback.format_exc(limit=-3)
                    tally.wrong.append(f"{name} {number}: {type(exc).__name__}: {str(exc)[:300]}\n{where}")
                self.house.put_back(self._kept)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                if place <= WARM:
                    warm = peak
                told(place + 1, tally)
        tally.grown_mb = (peak - warm) / 1024
        return tally

    # --- what is mutated ---------------------------------------------------------------------------------------------

    def frame(self, rng: random.Random) -> str:
        """A frame whose values, or whose text, are changed."""
        mutator = Mutator(rng)
        whole = rng.choice(self._frames)
        match rng.randrange(4):
            case 0:
                body = mutator.text(exact_json.encode(whole))
            case 1:
                body = mutator.text(as_text(mutator.value(whole)))
            case 2:
                body = mutator.text(mutator.text(exact_json.encode(whole)))
            case _:
                body = as_text(mutator.value(whole))
        text = self.house.raw(SOCKET, self._claims, body)
        return self._judged(text, body)

    def token(self, rng: random.Random) -> str:
        """A token whose header, claims, signature or text are changed; half of them are signed after that."""
        mutator = Mutator(rng)
        header: Any = {"alg": "HS256", "typ": "JWT"}
        made: Any = claims()
        which = rng.randrange(5)
        header = mutator.value(header) if which in (0, 2) else header
        made = mutator.value(made) if which in (1, 2) else made
        by_us = rng.random() < 0.5
        token = signed(header, made, KEY if by_us else rng.choice(("", "secret", KEY[:-1], "\x00", KEY.upper())))
        if which in (3, 4):
            changed = mutator.text(token)
            by_us = by_us and changed.rstrip() == token
            token = changed
        answer = self.house.authorize({rng.choice(("Authorization", "authorization")): f"Bearer {token}"})
        effect: str = answer["policyDocument"]["Statement"][0]["Effect"]
        require(answer["policyDocument"]["Statement"][0]["Resource"] == ARN, "another resource")
        require((effect == "Allow") == ("context" in answer), f"{answer}")
        if effect == "Allow":
            # Base64 has more than one way to write the last bits: the signature is the same then.
            require(by_us or same_token(token), f"opened by {token}")
            require(all(isinstance(value, str) for value in answer["context"].values()), f"{answer}")
        return effect

    def record(self, rng: random.Random) -> str:
        """A batch of stream records, one of them changed, to both readers of the stream."""
        mutator = Mutator(rng)
        record = rng.choice(self._records)
        change = dict(record["dynamodb"])
        for image in ("NewImage", "OldImage"):
            if image in change:
                change[image] = mutator.image(decoded(change[image]))
        if rng.random() < 0.1:
            change["ApproximateCreationDateTime"] = rng.choice((0, -1, 1e20, 1.5, 253402300800))
        if rng.random() < 0.1:
            change.pop(rng.choice(sorted(change.keys() - {"SequenceNumber"})))
        name = rng.choice((record["eventName"],) * 4 + ("MODIFY", "REMOVE"))
        broken = {**record, "eventName": name, "dynamodb": change}
        others = [one for one in self._records if one["eventSourceARN"] == record["eventSourceARN"]]
        batch = [rng.choice(others), broken, rng.choice(others)]
        batch = [
            {**one, "dynamodb": {**one["dynamodb"], "SequenceNumber": str(10**21 + n)}} for n, one in enumerate(batch)
        ]
        numbers = {one["dynamodb"]["SequenceNumber"] for one in batch}
        before = len(self.house.files.objects)
        reported = self.house.project(batch)
        require(numbers.issuperset(reported), f"{reported} of {numbers}")
        if "-Events/" in record["eventSourceARN"]:
            require(self.house.notify(batch) == [], "put off")
        kept = "quarantined" if len(self.house.files.objects) > before else "handled"
        return "put back" if reported else kept

    def row(self, rng: random.Random) -> str:
        """A stored row that is changed, and then whatever reads it."""
        mutator = Mutator(rng)
        table, item = rng.choice(self._rows)
        where = self.house.database.tables[table]
        changed = {**mutator.item(item), where.partition: item[where.partition]}
        changed |= {where.sort: item[where.sort]} if where.sort else {}
        keys = [(changed[name], kind) for name, kind in where.kinds.items() if name in changed]
        if any(set(value) != {kind} or value == {"S": ""} for value, kind in keys):
            return "no row"  # DynamoDB takes no key of an index that is of another kind, or empty
        self.house.dynamodb.put_item(TableName=table, Item=changed)
        self.house.records.clear()
        outcomes = [self._after(rng, table) for _ in range(2)]
        return outcomes[0]

    def _after(self, rng: random.Random, table: str) -> str:
        if table.endswith("Tickets"):
            try:
                self.house.authorize({}, {"ticket": self._ticket})
            except StreamerError as exc:
                return type(exc).__name__
            return "answered"
        which = rng.randrange(8)
        try:
            if which == 0:
                self.house.sweep()
            elif which == 1:
                require(self.house.work(rng.choice(self._tokens)) in ([], ["m"]), "another message")
            elif which == 2:
                self.house.project([rng.choice(self._records)])
            else:
                frame = rng.choice(self._frames)
                text = self.house.raw(SOCKET, self._claims, exact_json.encode(frame))
                return self._judged(text, "", stored=True)
        except StreamerError as exc:  # known for what it is: the platform delivers again, and alarms
            return type(exc).__name__
        return "handled"

    # --- what is judged ----------------------------------------------------------------------------------------------

    def _judged(self, text: str, body: str, *, stored: bool = False) -> str:
        server_frame(text)
        answer = exact_json.decode(text)
        if answer.get("code") == "INTERNAL_ERROR":
            require(stored, f"INTERNAL_ERROR for {body[:500]}")
            failed = [line for line in self.house.output.getvalue().splitlines() if '"exception_name"' in line]
            names = {json.loads(line)["exception_name"] for line in failed}
            require(names <= {"Undecodable", "Unavailable"}, f"{names}")
        return str(answer.get("code") or answer["type"])

    def _submit(self, action: str = "echo_async", **fields: Any) -> str:
        request_id: str = self.house.say(SOCKET, self._claims, "submit", action=action, **fields)["request_id"]
        return request_id

    def _furnish(self) -> None:
        """Have requests of every kind, in every state, with subscriptions, tickets and views."""
        house = self.house
        self._claims = house.claims("acme", "ann", TENANT_READ, TENANT_WRITE)
        house.connected(SOCKET, self._claims)
        told = [
            self._submit(payload={"a": [1, "x"]}, metadata={"k": "v"}),
            self._submit(payload="x" * 20_000),
            self._submit(payload=1, idempotency_key="k"),
            self._submit("process_data", payload={"csv": "a,b\n1,2"}),
        ]
        self._records = house.deliver()
        self._tokens = list(house.queue.sent)
        house.say(SOCKET, self._claims, "subscribe", topic="tenant#acme")
        while house.queue.sent:
            house.work(house.queue.sent.pop())
            self._records += house.deliver()
        told.append(self._submit(payload=2, delay_s=60))
        told.append(self._submit(payload=2))
        house.say(SOCKET, self._claims, "cancel", request_id=told[-1], reason="enough")
        told.append(self._submit(payload=3))
        self._records += house.deliver()
        self._frames = list(valid_frames(told))
        for frame in self._frames:
            self._judged(house.raw(SOCKET, self._claims, exact_json.encode(frame)), str(frame))
        self._ticket = house.ticket("acme", "ann")
        self._records += house.deliver()
        self._tokens += house.queue.sent
        self._rows = [(table, item) for table, _, item in house.rows()]
        house.forget()
        self._kept = house.keep()

    kinds: Final = (("frame", frame), ("token", token), ("record", record), ("row", row))


def valid_frames(request_ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Every kind of frame, about these requests."""
    period = {"from": "2026-11-22T08:00:00Z", "to": "2026-11-22T09:00:00Z"}
    submit = {"type": "submit", "id": "f", "action": "echo_async", "payload": {"a": [1, 2.5, None]}, "priority": 5}
    yield {**submit, "delay_s": 0, "max_attempts": 3, "subscribe": True, "metadata": {"k": "v"}, "timeout_s": 60}
    yield {**submit, "idempotency_key": "k", "submission_id": "s"}
    yield {"type": "submit", "id": "f", "action": "echo", "payload": [1, "x"]}
    yield {"type": "submit", "action": "delay", "payload": {"seconds": 0, "steps": 2, "fail_attempts": 0}}
    yield {"type": "submit", "action": "process_data", "payload": {"csv": "a,b\n1,2", "operations": []}}
    yield {"type": "submit", "action": "generate_report", "payload": {"start": period["from"], "end": period["to"]}}
    yield {"type": "submit_batch", "id": "f", "items": [submit, {"action": "echo_async"}]}
    yield {"type": "subscribe", "topic": "tenant#acme", "since": period["from"]}
    yield {"type": "unsubscribe", "topic": "user#acme#ann"}
    yield {"type": "list", "id": "f", "limit": 3, "scope": "tenant", "status": "PENDING"}
    yield {"type": "metrics", "id": "f", **period, "action": "echo_async", "resolution": "minute"}
    yield {"type": "audit", "day": "2026-11-22", "limit": 5, "user_id": "ann"}
    yield {"type": "actions"}
    yield {"type": "ping", "id": "f"}
    for request_id in request_ids:
        yield {"type": "subscribe", "id": "f", "request_id": request_id, "after": 0}
        yield {"type": "get", "request_id": request_id, "at_version": 1}
        yield {"type": "get", "request_id": request_id, "at": "2026-11-22T09:00:00Z"}
        yield {"type": "explain", "request_id": request_id}
        yield {"type": "history", "request_id": request_id, "after": 1, "limit": 2}
        yield {"type": "cancel", "request_id": request_id, "reason": "enough"}
        yield {"type": "audit", "request_id": request_id, "cursor": "1"}


def as_text(value: Any) -> str:
    """JSON the way a careless client writes it, as well as it can be written."""
    try:
        return exact_json.encode(value)
    except InvalidJson:
        return json.dumps(value, default=str, ensure_ascii=False)


def signed(header: Any, made: Any, secret: str) -> str:
    """A token of anything, signed with a secret."""
    parts = [encoded(as_text(part).encode(errors="surrogatepass")) for part in (header, made)]
    signature = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, encoded(signature if secret else b"")])


def same_token(token: str) -> bool:
    """Whether a token is one that the key signed, however the last bits of its signature are written."""
    try:
        content, _, signature = token.strip().rpartition(".")
        padded = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        return False
    return hmac.compare_digest(padded, hmac.new(KEY.encode(), content.encode(), hashlib.sha256).digest())


def encoded(content: bytes) -> str:
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(image: Mapping[str, Any]) -> dict[str, Any]:
    """An item as it was before it became an image."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in image.items()}


def require(holds: bool, what: str) -> None:  # noqa: FBT001
    """Wrong unless it holds."""
    if not holds:
        raise Wrong(what)


def main() -> int:
    """Run as many inputs as were asked for, with a line now and then, and sum them up."""
    asked = argparse.ArgumentParser(description="Fuzz frames, tokens, stream records and stored rows.")
    asked.add_argument("--inputs", type=int, default=100_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", type=int, help="the number of one input to run again")
    given = asked.parse_args()
    numbers = [given.only] if given.only is not None else range(given.inputs)
    shown, began = sys.stdout, time.monotonic()

    def tell(done: int, tally: Tally) -> None:
        if done % max(1, len(numbers) // 20) == 0:
            rate = done / (time.monotonic() - began)
            print(f"{done} of {len(numbers)} · {rate:.0f} a second · {len(tally.wrong)} wrong", file=shown, flush=True)

    tally = Fuzzer(given.seed).run(numbers, tell)
    for wrong in tally.wrong[:20]:
        print(wrong)
    for outcome, times in sorted(tally.outcomes.items()):
        print(f"  {times:>7} {outcome}")
    kinds = " · ".join(f"{name} {times}" for name, times in tally.inputs.items())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bounded = tally.grown_mb <= GROWTH_MB
    count = sum(tally.inputs.values())
    figures = (
        f"{count} inputs ({kinds}) of seed {given.seed} · {len(tally.wrong)} wrong · peak memory {peak:.0f} MB,"
        f" {tally.grown_mb:.0f} MB above warm"
    )
    if tally.wrong or not bounded:
        print(f"fuzz FAILED: {figures}{'' if bounded else ': too much'}")
        return 1
    if count >= KEPT:
        keep(figures)
    print(f"fuzz ok: {figures} · {time.monotonic() - began:.0f} s")
    return 0


def keep(figures: str) -> None:
    """Write the figures of a run into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{figures}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
