"""The parts of the stack as a picture, drawn from template.yaml: Mermaid text for docs/architecture.md."""

from collections.abc import Iterator

from tests.template.template import FUNCTIONS, TEMPLATE, statements

_WRITES = ("Put", "Update", "Delete", "BatchWrite", "Send")


def parts() -> str:
    """The functions, what wakes them, and what they write; who only reads is left out, it would be everybody."""
    return "\n".join(["flowchart LR", *(f"    {line}" for line in dict.fromkeys([*_woken(), *_written()]))])


def _woken() -> Iterator[str]:
    yield "client([clients]) <--> WebSocketApi"
    yield "client --> IssueTicket"
    api = TEMPLATE["Resources"]["WebSocketApi"]["Properties"]
    yield f"WebSocketApi -- authorizes --> {api['Auth']['AuthArn']['GetAtt'].removesuffix('.Arn')}"
    for route, to in api["Routes"].items():
        yield f"WebSocketApi -- {route} --> {to['FunctionArn']['GetAtt'].removesuffix('.Arn')}"
    for function, made in FUNCTIONS.items():
        for event in made.get("Events", {}).values():
            given = event["Properties"]
            match event["Type"]:
                case "DynamoDB":
                    yield f"{given['Stream']['GetAtt'].removesuffix('.StreamArn')}[(%s)] -. stream .-> {function}" % (
                        given["Stream"]["GetAtt"].removesuffix("Table.StreamArn")
                    )
                case "SQS":
                    yield f"{given['Queue']['GetAtt'].removesuffix('.Arn')} -. token .-> {function}"
                case _:
                    yield f"clock([each minute]) -.-> {function}"


def _written() -> Iterator[str]:
    for function in FUNCTIONS:
        for statement in statements(function, "asks"):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if not any(action.partition(":")[2].startswith(_WRITES) for action in actions):
                continue
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            for named in resources:
                name = next(iter(named.values())).removeprefix("${").partition(".")[0]
                if name.endswith("Table"):
                    yield f"{function} --> {name}[({name.removesuffix('Table')})]"
                else:
                    yield f"{function} --> {name}"
