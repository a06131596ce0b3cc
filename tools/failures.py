"""`streamer redrive failures`: what the failures bucket holds is handed to the projections again.

The bucket has the records that no code could read (quarantine/TABLE/NUMBER.json, by project_views) and the batches that
Lambda has given up (aws/lambda/MAPPING/SHARD/..., by Lambda, with the whole event as `payload`).

    of the log             the log itself is asked: the views of the requests that the records name are brought up to
                           it. So it does not matter how old the records are, and whether they were unreadable by
                           themselves
    of connections and     project_views is invoked with the records as their mapping would; it counts each change once
    subscriptions

An object is deleted when everything that it names was handled. A quarantined record that is to be handed over lies in
redriving/ meanwhile: what is quarantined again comes back under its own name, and nothing is lost if this ends between.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from adapters.aws import code_of, translated
from adapters.clock import Clock
from adapters.quarantine import PREFIX
from adapters.stream_records import Record, table_of
from domain import exact_json
from domain.errors import InvalidJson, Unavailable, Undecodable
from tools.deployed import Deployed
from tools.operated import Operated

ASIDE: Final = "redriving"
_PROJECTION: Final = "ProjectViews"


@dataclass(slots=True)
class Redriven:
    """How many objects were handled, and why others were not, by their keys."""

    handled: int = 0
    left: dict[str, str] = field(default_factory=dict)


class Failures:
    """The failures bucket of a stack."""

    def __init__(self, deployed: Deployed, stack: Operated, clock: Clock) -> None:
        self._s3 = deployed.client("s3")
        self._functions = deployed.client("lambda")
        self._bucket = deployed.resources["FailuresBucket"]
        self._projection = deployed.resources[_PROJECTION]
        self._stack = stack
        self._clock = clock
        self._brought_up: dict[str, str] = {}

    def redrive(self) -> Redriven:
        """Handle every object; repeating it is harmless."""
        done = Redriven()
        for key in list(self._keys("")):
            with translated("redrive", bucket=self._bucket, key=key):
                content = self._content(key)
                if content is None:
                    continue
                if why := self._handle(key, content):
                    done.left[key] = why
                else:
                    done.handled += 1
        return done

    def _content(self, key: str) -> bytes | None:
        """An object; None for one that was just handled under its other name, or by somebody else."""
        try:
            content: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as exc:
            if code_of(exc) != "NoSuchKey":
                raise
            return None
        return content

    def _handle(self, key: str, content: bytes) -> str:
        """Handle an object and delete it; why not, if it stays."""
        try:
            records = records_of(content)
        except Undecodable as exc:
            return str(exc)
        by_table: dict[str, list[Record]] = {}
        for record in records:
            by_table.setdefault(table_of(record), []).append(record)
        events = by_table.pop(self._stack.tables["Events"], [])
        known = {self._stack.tables["Connections"], self._stack.tables["Subscriptions"]}
        if unknown := by_table.keys() - known:
            return f"not of this stack's tables: {', '.join(sorted(unknown))}"
        why = self._bring_up(events)
        for others in by_table.values():
            why = why or self._hand_over(key, content, others)
        if not why:
            self._delete(key)
        return why

    def _bring_up(self, records: Sequence[Record]) -> str:
        """Bring the views of requests up to their logs."""
        for record in records:
            request_id = record.get("dynamodb", {}).get("Keys", {}).get("request_id", {}).get("S")
            if request_id is None:
                return "a record does not name its request"
            if request_id not in self._brought_up:
                self._brought_up[request_id] = self._bring_up_request(request_id)
            if why := self._brought_up[request_id]:
                return why
        return ""

    def _bring_up_request(self, request_id: str) -> str:
        try:
            version = self._stack.events.head(request_id).version
            if version == 0:
                return ""  # its retention has ended: there is nothing left to bring up
            newest = self._stack.events.get(request_id, version)
        except Undecodable as exc:
            return f"the log of {request_id}: {exc}"
        outcome = self._stack.projector(self._clock).catch_up([newest])
        if outcome.error:
            raise outcome.error
        return f"no code here can read the log of {request_id}" if outcome.quarantined else ""

    def _hand_over(self, key: str, content: bytes, records: Sequence[Record]) -> str:
        """Hand records to project_views; what it quarantines again counts as left."""
        original = key.removeprefix(f"{ASIDE}/")
        if not original.startswith(f"{PREFIX}/"):
            return self._invoke(records)
        aside = f"{ASIDE}/{original}"
        if key != aside:
            self._s3.put_object(Bucket=self._bucket, Key=aside, Body=content, ContentType="application/json")
            self._delete(key)
        why = self._invoke(records)
        if why:
            return why
        is_back = original in self._keys(original)
        self._delete(aside)
        return "still unreadable" if is_back else ""

    def _invoke(self, records: Sequence[Record]) -> str:
        event = exact_json.encode({"Records": list(records)}).encode()
        answer = self._functions.invoke(FunctionName=self._projection, Payload=event)
        told = answer["Payload"].read()
        if answer.get("FunctionError"):
            return f"{_PROJECTION} failed: {told[:500].decode(errors='replace')}"
        failed = exact_json.decode(told)["batchItemFailures"]
        return f"{_PROJECTION} could not handle it now" if failed else ""

    def _keys(self, prefix: str) -> Iterator[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for one in page.get("Contents", ()):
                yield one["Key"]

    def _delete(self, key: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=key)


def records_of(content: bytes) -> list[Record]:
    """The stream records that an object of the bucket is about; Undecodable when it is neither of the two kinds."""
    try:
        told: Any = exact_json.decode(content)
        if "record" in told:
            records: Any = [told["record"]]
        else:
            event = told["payload"]
            records = (exact_json.decode(event) if isinstance(event, str) else event)["Records"]
    except (InvalidJson, KeyError, TypeError) as exc:
        raise Undecodable(f"neither a quarantined record nor a batch: {type(exc).__name__}") from exc
    if not isinstance(records, list) or not all(isinstance(record, Mapping) for record in records):
        raise Undecodable("not a list of records")
    return records


def redrive(deployed: Deployed, stack: Operated, clock: Clock) -> Redriven:
    """Handle what the failures bucket of a stack holds."""
    try:
        return Failures(deployed, stack, clock).redrive()
    except ClientError as exc:
        raise Unavailable(operation="redrive", code=code_of(exc)) from exc
