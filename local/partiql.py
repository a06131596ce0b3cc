"""A conditional update in PartiQL as the arguments of UpdateItem, for engines that carry out, or tell, only those."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_UPDATE: Final = re.compile(r'UPDATE "([^"]+)" (.+) WHERE (.+)')
_CLAUSE: Final = re.compile(r'(SET|REMOVE) "([^"]+)"')
_EQUALS: Final = re.compile(r'"([^"]+)"=\?')


def update_item(statement: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    """What UpdateItem is given for the statement, of a table with these keys; ValueError for another kind of one."""
    found = _UPDATE.fullmatch(statement["Statement"])
    if found is None:
        raise ValueError(f"no conditional update: {statement['Statement']}")
    table, clauses, where = found.groups()
    values: Iterator[Any] = iter(statement["Parameters"])
    asked = _CLAUSE.findall(clauses)
    sets = {name: next(values) for word, name in asked if word == "SET"}
    equal = dict(zip(_EQUALS.findall(where), values, strict=True))
    conditions = {name: value for name, value in equal.items() if name not in keys}
    names = [*sets, *(name for word, name in asked if word == "REMOVE"), *conditions]
    place = {name: f"#n{number}" for number, name in enumerate(dict.fromkeys(names))}
    set_to = [f"{place[name]} = :s{number}" for number, name in enumerate(sets)]
    removed = [place[name] for word, name in asked if word == "REMOVE"]
    condition = " AND ".join(f"{place[name]} = :c{number}" for number, name in enumerate(conditions))
    return {
        "TableName": table,
        "Key": {name: value for name, value in equal.items() if name in keys},
        "UpdateExpression": f"SET {', '.join(set_to)}" + (f" REMOVE {', '.join(removed)}" if removed else ""),
        **({"ConditionExpression": condition} if condition else {}),
        "ExpressionAttributeNames": {alias: name for name, alias in place.items()},
        "ExpressionAttributeValues": {
            **{f":s{number}": value for number, value in enumerate(sets.values())},
            **{f":c{number}": value for number, value in enumerate(conditions.values())},
        },
        "ReturnValuesOnConditionCheckFailure": statement.get("ReturnValuesOnConditionCheckFailure", "NONE"),
    }
