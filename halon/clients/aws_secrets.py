"""Secrets in AWS Secrets Manager, through boto3.

boto3 finds out by itself who Halon is in AWS: the role of a pod or an instance, a profile, variables. It waits for
sockets, so it is called in threads.
"""

import json
import threading
from typing import Any

from halon.contracts.base import is_object
from halon.settings.credentials import AwsSecret, AwsSettings
from halon.settings.secrets import NoSecret

_CONNECT, _READ = 3, 5
"""Seconds."""
_GONE = {"ResourceNotFoundException", "InvalidRequestException"}
_WRONG = {
    "AccessDeniedException",
    "DecryptionFailure",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidParameterException",
    "InvalidSignatureException",
    "UnrecognizedClientException",
    "ValidationException",
}


class AwsSecretStore:
    """Secrets Manager in the regions that are asked for; a client is made at the first call to each."""

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._clients: dict[str | None, Any] = {}

    def read(self, secret: AwsSecret) -> str:
        """Read one, or one field of it.

        Raises:
            NoSecret: it is not there, AWS does not let Halon see it, or does not answer.
        """
        text = self._text(secret)
        if secret.key is None:
            return text
        try:
            fields: Any = json.loads(text)
        except ValueError as error:
            raise NoSecret("is no JSON object, and a field of one is named") from error
        value = fields.get(secret.key) if is_object(fields) else None
        if not isinstance(value, str):
            raise NoSecret("has no such field, or something else than text in it")
        return value

    def _text(self, secret: AwsSecret) -> str:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  # half a second of imports

        try:
            answer = self._client(secret.region or self._settings.region).get_secret_value(SecretId=secret.name)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "an error"))
            if code in _GONE:
                raise NoSecret("is not there, or is marked for deletion") from error
            if code in _WRONG:
                raise NoSecret(f"AWS does not give: {code}") from error
            raise NoSecret(f"AWS does not give now: {code}", transient=True) from error
        except BotoCoreError as error:
            kind = type(error).__name__
            if kind == "NoRegionError":
                raise NoSecret("cannot be asked for without a region: set `credentials.aws.region`") from error
            if kind in {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"}:
                raise NoSecret("cannot be asked for: boto3 finds no credentials for AWS") from error
            raise NoSecret(f"cannot be read: AWS does not answer ({kind})", transient=True) from error
        if "SecretString" not in answer:
            raise NoSecret("is binary, not text")
        return str(answer["SecretString"])

    def _client(self, region: str | None) -> Any:
        with self._lock:
            if region not in self._clients:
                import boto3  # noqa: PLC0415
                from botocore.config import Config  # noqa: PLC0415

                session: Any = boto3.session.Session()  # its types know no service
                self._clients[region] = session.client(
                    "secretsmanager",
                    region_name=region,
                    endpoint_url=self._settings.endpoint,
                    config=Config(connect_timeout=_CONNECT, read_timeout=_READ, retries={"total_max_attempts": 2}),
                )
            return self._clients[region]
