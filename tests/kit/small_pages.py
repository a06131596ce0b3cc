from typing import Any


class SmallPages:
    """A client whose pages are small, as those of DynamoDB are after 1 MB."""

    def __init__(self, client: Any, size: int) -> None:
        self._client = client
        self._size = size
        self.scan = self.small

    def small(self, **arguments: Any) -> Any:
        return self._client.scan(**arguments, Limit=self._size)

    def get_paginator(self, name: str) -> Any:
        paginator = self._client.get_paginator(name)
        real = paginator.paginate
        paginator.paginate = lambda **arguments: real(**arguments, PaginationConfig={"PageSize": self._size})
        return paginator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)
