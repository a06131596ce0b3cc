"""boto3's S3 client over a dictionary."""

import io
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.dynamodb import Way


@dataclass(slots=True)
class Buckets:
    """Every bucket of the stack."""

    way: Way
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str) -> dict[str, Any]:  # noqa: N803, ARG002
        """PutObject."""

        def store() -> dict[str, Any]:
            self.objects[Bucket, Key] = Body
            return {}

        return self.way.call("s3", "put_object", store)

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """GetObject."""

        def load() -> dict[str, Any]:
            if (Bucket, Key) not in self.objects:
                raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
            return {"Body": _Body(self.objects[Bucket, Key])}

        return self.way.call("s3", "get_object", load)

    def list_objects_v2(self, Bucket: str) -> dict[str, Any]:  # noqa: N803
        """ListObjectsV2, as far as it counts."""
        return self.way.call(
            "s3", "list_objects_v2", lambda: {"KeyCount": sum(bucket == Bucket for bucket, _ in self.objects)}
        )

    def generate_presigned_url(self, ClientMethod: str, Params: dict[str, str], ExpiresIn: int) -> str:  # noqa: N803, ARG002
        """A link; no call is made for it."""
        return f"https://{Params['Bucket']}/{Params['Key']}"


class _Body(io.BytesIO):
    def __repr__(self) -> str:
        return f"{len(self.getvalue())} bytes"
