"""Where secrets are found, and how to be let in there. A secret itself is never in halon.yaml."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from halon.contracts.base import Duration, is_list, is_object
from halon.settings.section import Section

MAX_SOURCES = 5
"""So many places one secret may be looked for in."""
EnvName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
VaultPath: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._~@+-]+(/[A-Za-z0-9._~@+-]+)*$", max_length=300)
]
Region: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Url: TypeAlias = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/[^\s@]*)?$", max_length=2048)]
Key: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class VaultSecret(Section):
    """A field of a secret in a KV engine, version 2, of the Vault in `credentials.vault`."""

    path: VaultPath
    """Below the engine, without `data/`."""
    key: Key = "value"
    mount: VaultPath = "secret"
    """Where the engine is mounted."""


class AwsSecret(Section):
    """A secret in AWS Secrets Manager."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/_+=.@:-]{1,2048}$")]
    """Name or ARN."""
    key: Key | None = None
    """Field of a secret that is a JSON object; without it the whole text."""
    region: Region | None = None
    """Without it the one in `credentials.aws`."""


def _named(value: Any) -> Any:
    """Refuse a secret that was written where its place belongs, without repeating it."""
    if isinstance(value, str | int | float):
        raise ValueError("a secret is named, not written here: use {env: NAME} or {file: PATH}")  # noqa: TRY004  # pydantic reports ValueError
    return value


class SecretSource(Section):
    """One place where a secret may be."""

    env: EnvName | None = None
    file: Path | None = None
    vault: VaultSecret | None = None
    aws: AwsSecret | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_the_secret(cls, value: Any) -> Any:
        return _named(value)

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretSource":
        if sum(one is not None for one in (self.env, self.file, self.vault, self.aws)) != 1:
            raise ValueError("name exactly one of `env`, `file`, `vault` and `aws`")
        return self

    @property
    def local(self) -> bool:
        """Whether it is read without a network."""
        return self.env is not None or self.file is not None

    def __str__(self) -> str:
        if self.env is not None:
            return f"the environment variable {self.env}"
        if self.vault is not None:
            return f"Vault's {self.vault.mount}/{self.vault.path}, field {self.vault.key}"
        if self.aws is not None:
            field = f", field {self.aws.key}" if self.aws.key else ""
            return f"AWS Secrets Manager's {self.aws.name}{field}"
        return f"the file {self.file}"


class SecretRef(Section):
    """Where a secret is found: one place, or a list of them, the first of which that has it is taken."""

    sources: Annotated[tuple[SecretSource, ...], Field(min_length=1, max_length=MAX_SOURCES)]

    @model_validator(mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        if is_list(value):
            return {"sources": tuple(value)}
        if is_object(_named(value)) and "sources" not in value:
            return {"sources": (value,)}
        return value

    def __str__(self) -> str:
        return ", or ".join(map(str, self.sources))


class AppRole(Section):
    """Vault's AppRole: an id and a secret id, for a machine."""

    role_id: SecretRef
    secret_id: SecretRef
    mount: VaultPath = "approle"


class KubernetesLogin(Section):
    """Vault's Kubernetes method: the pod's own service account."""

    role: Key
    token: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    mount: VaultPath = "kubernetes"


class VaultLogin(Section):
    """How to be let into Vault: exactly one way."""

    token: SecretRef | None = None
    approle: AppRole | None = None
    kubernetes: KubernetesLogin | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "VaultLogin":
        if sum(one is not None for one in (self.token, self.approle, self.kubernetes)) != 1:
            raise ValueError("name exactly one of `token`, `approle` and `kubernetes`")
        secrets = (self.token, *((self.approle.role_id, self.approle.secret_id) if self.approle else ()))
        if any(not source.local for one in secrets if one is not None for source in one.sources):
            raise ValueError("what lets Halon into Vault comes from `env` or `file`, not from Vault or AWS")
        return self


class VaultSettings(Section):
    """The Vault, or OpenBao, that secrets are read from."""

    address: Url
    auth: VaultLogin
    namespace: VaultPath | None = None
    ca: Path | None = None
    """Certificate of the authority to trust instead of the system's."""


class AwsSettings(Section):
    """AWS Secrets Manager. Who Halon is there, boto3 finds out as it always does: a role, a profile, variables."""

    region: Region | None = None
    endpoint: Url | None = None
    """Another address than AWS's own, such as a VPC endpoint's."""


class CredentialSettings(Section):
    """The stores of secrets that halon.yaml's secrets may name."""

    vault: VaultSettings | None = None
    aws: AwsSettings = AwsSettings()
    refresh: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=1))] = timedelta(minutes=5)
    """How long a secret from Vault or AWS serves until it is read again."""
    keep: Annotated[Duration, Field(le=timedelta(days=1))] = timedelta(hours=1)
    """How long it serves while Vault or AWS does not answer, when no other source has it."""
