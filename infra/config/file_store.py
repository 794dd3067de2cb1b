"""`[files]`: how long the files of threads are kept, and which store has their contents."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from agent.plan.eviction import FileLimits
from infra.tools.secret import Secret


@dataclass(frozen=True, kw_only=True)
class FilesTable(FileLimits):
    """`[files]`: the bounds, and the store. What one store got stays readable only as long as it is there."""

    store: Literal["postgres", "s3"] = "postgres"
    #: From here on, of `s3`.
    bucket: str = ""
    #: The address of another server than Amazon's.
    endpoint: str = ""
    region: str = "us-east-1"
    #: Before the key of each object.
    prefix: str = ""
    #: Without them, as the environment of the process says (AWS_..., a role of the machine).
    access_key: Secret | None = None
    secret_key: Secret | None = None

    def __post_init__(self) -> None:
        """Refuse half of the settings of a bucket.

        Raises:
            ValueError: the bucket or one of the keys is missing, or the endpoint is no address.
        """
        if (self.store == "s3") != bool(self.bucket):
            raise ValueError('store = "s3" and bucket go together')
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key go together")
        if self.endpoint and urlsplit(self.endpoint).scheme not in ("http", "https"):
            raise ValueError("endpoint is an http or https address")
