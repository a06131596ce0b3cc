"""The protocol as documents: docs/asyncapi.json and the tables of docs/protocol.md, made from the schema itself.

`make protocol` writes both; a test compares them with what this makes of domain/protocol.py.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from domain import protocol
from domain.errors import ErrorCode
from domain.events import EVENTS, Event
from domain.protocol import AnyClientFrame, AnyServerFrame, ClientFrame, ServerFrame
from domain.state import RequestState

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
REPLIES: Final[Mapping[type[ClientFrame], tuple[type[ServerFrame], ...]]] = {
    protocol.Submit: (protocol.Ack, protocol.Response),
    protocol.SubmitBatch: (protocol.Acks,),
    protocol.Subscribe: (protocol.Subscribed,),
    protocol.Unsubscribe: (protocol.Unsubscribed,),
    protocol.Cancel: (protocol.Ack,),
    protocol.Get: (protocol.Request,),
    protocol.Explain: (protocol.Explanation,),
    protocol.History: (protocol.HistoryPage,),
    protocol.List: (protocol.Requests,),
    protocol.Metrics: (protocol.MetricsPage,),
    protocol.Audit: (protocol.AuditPage,),
    protocol.Actions: (protocol.ActionsPage,),
    protocol.Ping: (protocol.Pong,),
}
PUSHED: Final[tuple[type[ServerFrame], ...]] = (protocol.EventPush, protocol.EventsPush)
_AT: Final = "#/components/schemas/"
Schema = dict[str, Any]
Frame = type[ClientFrame] | type[ServerFrame]


def asyncapi() -> Schema:
    """The AsyncAPI 3 document, from the server's point of view: it receives client frames and sends the others."""
    schemas = _schemas()
    frames = [*_frames(AnyClientFrame), *_frames(AnyServerFrame)]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Streamer",
            "version": "1",
            "description": "Long requests over a WebSocket: submit, watch live, resume without a gap.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"deployed": _SERVER},
        "channels": {
            "socket": {
                "address": "/",
                "description": f"JSON of at most {protocol.FRAME_LIMIT} bytes, in WebSocket frames of at most 32 KB.",
                "messages": {_key(frame): {"$ref": f"#/components/messages/{_key(frame)}"} for frame in frames},
                "bindings": {"ws": _CONNECT},
            }
        },
        "operations": {
            **{_name(frame): _answered(frame, replies) for frame, replies in REPLIES.items()},
            **{_name(frame): {**_on_the_socket([frame]), "action": "send", "summary": _doc(frame)} for frame in PUSHED},
        },
        "components": {
            "messages": {_key(frame): _message(frame) for frame in frames},
            "schemas": schemas,
            "correlationIds": {"frame": {"description": "Echoed in the reply.", "location": "$message.payload#/id"}},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "ticket": {
                    "type": "httpApiKey",
                    "in": "query",
                    "name": "ticket",
                    "description": "For browsers: works once, within half a minute; POST the JWT to the ticket URL.",
                },
            },
        },
    }


_SERVER: Final[Schema] = {
    "host": "{api}.execute-api.{region}.amazonaws.com",
    "pathname": "/live",
    "protocol": "wss",
    "description": "The stack's output WebSocketUrl.",
    "variables": {
        "api": {"description": "The stack's output WebSocketApiId."},
        "region": {"description": "The stack's region.", "examples": ["eu-central-1"]},
    },
    "security": [{"$ref": "#/components/securitySchemes/token"}, {"$ref": "#/components/securitySchemes/ticket"}],
}
_CONNECT: Final[Schema] = {
    "method": "GET",
    "query": {"type": "object", "properties": {"ticket": {"type": "string"}}},
    "bindingVersion": "0.1.0",
}


def reference() -> dict[str, str]:
    """The tables of docs/protocol.md, each by its marker."""
    schemas = _schemas()
    client = [_section(frame, schemas, REPLIES[frame]) for frame in REPLIES]
    server = [_section(frame, schemas) for frame in _frames(AnyServerFrame)]
    return {
        "client frames": "\n\n".join(client),
        "server frames": "\n\n".join(server),
        "events": _table(
            ("event", "data", "means"),
            ((f"`{name}`", _listed(_told(event)), _doc(event)) for name, event in EVENTS.items()),
        ),
        "state": _listed(_state_fields()),
        "codes": ", ".join(f"`{code}`" for code in ErrorCode),
    }


def with_tables(text: str) -> str:
    """The page with every table between its markers made anew."""
    for name, table in reference().items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"no place for {start} … {end}")
        text = f"{before}{start}\n\n{table}\n\n{end}{after}"
    return text


def main(docs: Path = DOCS) -> int:
    """Write both documents."""
    (docs / "asyncapi.json").write_text(json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n")
    page = docs / "protocol.md"
    page.write_text(with_tables(page.read_text()))
    return 0


# --- the schema ---------------------------------------------------------------------------------------------------


def _frames(union: Any) -> list[Frame]:
    return list(union.__args__)


def _name(frame: Frame) -> str:
    """The frame's type on the wire."""
    return str(frame.__struct_config__.tag)


def _key(frame: Frame) -> str:
    """The frame's name among all: `history` is asked with and answered with."""
    return frame.__name__


def _doc(model: type) -> str:
    return " ".join((inspect.getdoc(model) or "").split())


def _schemas() -> dict[str, Schema]:
    _, asked = msgspec.json.schema_components([AnyClientFrame], ref_template=_AT + "{name}")
    _, told = msgspec.json.schema_components([AnyServerFrame, protocol.EventShown], ref_template=_AT + "{name}")
    made = {
        **{name: _plain(schema, server=True) for name, schema in told.items()},
        **{name: _plain(schema, server=False) for name, schema in asked.items()},
    }
    return {name: _with_patterns_of_ecma(schema) for name, schema in sorted(made.items())}


def _with_patterns_of_ecma(schema: Any) -> Any:
    """The schema with its patterns as JSON Schema has them: there $ stands at the very end alone."""
    match schema:
        case dict():
            told = {name: _with_patterns_of_ecma(part) for name, part in schema.items()}
            return told | ({"pattern": schema["pattern"].removesuffix(r"(?!\n)")} if "pattern" in schema else {})
        case list():
            return [_with_patterns_of_ecma(part) for part in schema]
        case _:
            return schema


def _plain(schema: Schema, *, server: bool) -> Schema:
    """A model's schema as it is on the wire: `type` is always there, and what has no value is left out."""
    plain = {name: value for name, value in schema.items() if name != "title"}
    if "description" in plain:
        plain["description"] = " ".join(plain["description"].split())
    if "properties" in plain:
        plain["properties"] = {name: _field(one, server=server) for name, one in plain["properties"].items()}
        required = [name for name in plain["properties"] if name == "type" or name in plain.get("required", ())]
        plain = {name: value for name, value in plain.items() if name != "required"}
        plain |= {"required": required} if required else {}
    return plain


def _field(schema: Schema, *, server: bool) -> Schema:
    field = {name: value for name, value in schema.items() if name != "title"}
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    if len(field.get("enum", ())) == 1:  # the tag of a struct
        field = {"const": field["enum"][0], "type": "string"}
    if kinds and len(kinds) < len(field["anyOf"]):
        if field.get("default", 0) is None:
            del field["default"]
        if server and len(kinds) == 1:
            del field["anyOf"]
            field = kinds[0] | field
    return field


def _message(frame: Frame) -> Schema:
    return {
        "name": _name(frame),
        "summary": _doc(frame),
        "contentType": "application/json",
        "correlationId": {"$ref": "#/components/correlationIds/frame"},
        "payload": {"$ref": _AT + _key(frame)},
    }


def _on_the_socket(frames: Iterable[Frame]) -> Schema:
    return {
        "channel": {"$ref": "#/channels/socket"},
        "messages": [{"$ref": f"#/channels/socket/messages/{_key(frame)}"} for frame in frames],
    }


def _answered(frame: Frame, replies: Iterable[Frame]) -> Schema:
    reply = _on_the_socket([*replies, protocol.Error])
    return {**_on_the_socket([frame]), "action": "receive", "summary": _doc(frame), "reply": reply}


# --- the page -----------------------------------------------------------------------------------------------------


def _section(frame: Frame, schemas: Mapping[str, Schema], replies: Iterable[Frame] = ()) -> str:
    schema = schemas[_key(frame)]
    required = set(schema.get("required", ()))
    rows = [
        (f"`{name}`", _kind(field), "required" if name in required else _default(field))
        for name, field in schema["properties"].items()
        if name not in ("type", "id")
    ]
    parts = [f"### `{_name(frame)}`", _wrapped(_doc(frame))]
    if replies:
        parts.append("Answered with " + " or ".join(f"`{_name(reply)}`" for reply in replies) + ".")
    if rows:
        parts.append(_table(("field", "is", ""), rows))
    return "\n\n".join(parts)


def _kind(field: Schema) -> str:
    """What a field may be, in words."""
    if "$ref" in field:
        return _NAMED[field["$ref"].removeprefix(_AT)]
    if "anyOf" in field:
        return " or ".join(_kind(kind) for kind in field["anyOf"] if kind != {"type": "null"})
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"a list, of each {_kind(field['items'])}"
    kind = {"date-time": "an instant", "date": "a day"}.get(str(field.get("format")), _KINDS[field.get("type")])
    pattern = f", like `{field['pattern']}`" if "pattern" in field else ""
    return kind + _limits(field) + pattern.replace("|", "\\|")


def _limits(field: Schema) -> str:
    if "minimum" in field:
        return f" from {field['minimum']} to {field['maximum']}"
    if "maxLength" in field:
        return f" of {field.get('minLength', 0)} to {field['maxLength']} characters"
    return f" with at most {field['maxProperties']} fields" if "maxProperties" in field else ""


_KINDS: Final = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "null": "null",
    None: "any JSON value",
}
_NAMED: Final = {
    "Status": "a status",
    "ErrorCode": "a code",
    "ActionShown": "`{name, mode, description, scope, input_schema}`",
}


def _default(field: Schema) -> str:
    return f"default `{json.dumps(field['default'])}`" if "default" in field else ""


def _state_fields() -> list[str]:
    unlike_any_default: Any = object()
    values = dict.fromkeys(RequestState.__struct_fields__, unlike_any_default)
    return list(RequestState(**values).public())


def _told(event: type[Event]) -> Iterator[str]:
    """The fields that clients are shown."""
    return (name for name in event.__struct_fields__ if name not in event.private)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    made = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([made[0], re.sub(r"[^|]+", "---", made[0]), *made[1:]])


def _wrapped(text: str) -> str:
    """One sentence a line is enough for a page that a tool writes."""
    return re.sub(r"(?<=[.;]) (?=[A-Z])", "\n", text)


if __name__ == "__main__":
    sys.exit(main())
