"""The bucket: payloads and results too large for an event, the files that actions write, quarantined records.

A user's objects are below `TENANT/USER/`, and no key of an action leads out of there.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from adapters.aws import code_of, translated
from domain import exact_json
from domain.errors import NotFound
from domain.validity import INLINE_LIMIT, checked

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINK_LIFE_S: Final = 3600
_MISSING: Final = frozenset({"NoSuchKey", "404"})


class Objects:
    """The stack's bucket. Its client is made when it is first used: most requests have nothing to store there."""

    def __init__(self, connect: Callable[[], "S3Client"], bucket: str) -> None:
        self._connect = connect
        self._bucket = bucket

    @cached_property
    def _client(self) -> "S3Client":
        return self._connect()

    @checked
    def write(self, key: str, content: bytes, content_type: str) -> None:
        """Store an object; storing it again replaces it."""
        with translated("write object", bucket=self._bucket, key=key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)

    @checked
    def read(self, key: str) -> bytes:
        """The content of an object; NotFound when there is none."""
        with translated("read object", bucket=self._bucket, key=key):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except ClientError as exc:
                if code_of(exc) not in _MISSING:
                    raise
                raise NotFound("no such object", key=key) from exc

    @checked
    def count(self) -> int:
        """How many objects there are, of up to 1,000: what one call tells."""
        with translated("count objects", bucket=self._bucket):
            return self._client.list_objects_v2(Bucket=self._bucket)["KeyCount"]

    @checked
    def link(self, key: str) -> str:
        """A link to an object that needs no credentials and works for an hour."""
        with translated("sign link", bucket=self._bucket, key=key):
            return self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=LINK_LIFE_S
            )

    @checked
    def store_large(self, key: str, value: Any) -> tuple[Any, str | None]:
        """The value itself, or its reference if it is too large for an event; then it is stored under the key."""
        text = exact_json.encode(value)
        content = text.encode()
        if len(content) <= INLINE_LIMIT:
            return value, None
        self.write(key, content, "application/json")
        return None, key

    def load(self, value: Any, reference: str | None) -> Any:
        """The value that an event carries or refers to."""
        return value if reference is None else exact_json.decode(self.read(reference))


def folder(tenant_id: str, user_id: str) -> str:
    """Where a user's objects are."""
    return f"{tenant_id}/{user_id}/"
