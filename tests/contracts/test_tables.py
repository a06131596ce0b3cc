"""The tables are the template's on every backend, however often they are made."""

from typing import Any

import pytest

from local.errors import TableDiffers
from local.tables import TABLES, ensure
from tests.contracts.backends import Tables

OTHER: Any = {
    "KeySchema": [{"AttributeName": "ticket", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "ticket", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


class TablesContract:
    """What `make tables` must find on every backend."""

    def test_tables_that_are_there_fit_and_get_their_time_to_live_once(self, tables: Tables) -> None:
        for change in (", time to live switched on", ""):
            said: list[str] = []
            ensure(tables.client._client, "streamer", say=said.append)
            assert said == [f"streamer-{short}: is there{change}" for short in TABLES]

    def test_one_that_differs_stops_all(self, tables: Tables) -> None:
        dynamodb = tables.client._client
        dynamodb.create_table(TableName="other-Tickets", **OTHER)
        try:
            with pytest.raises(TableDiffers, match=r"^other-Tickets: key is ticket \(S\), not ticket_hash \(S\)$"):
                ensure(dynamodb, "other")
            made = [name for name in dynamodb.list_tables()["TableNames"] if name.startswith("other")]
            assert made == ["other-Tickets"]
        finally:
            dynamodb.delete_table(TableName="other-Tickets")
