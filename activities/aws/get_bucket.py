"""Look at a bucket: what is public about it, and what guards what is in it."""

from typing import Any, ClassVar, Literal

from activities.aws._account import AccountName, Region, account_of, section, target
from activities.aws._bucket import ALL, BUCKET, NO_POLICY, NOTHING_BLOCKED, BucketName, parsed, read_policy
from halon.clients.aws.api import Account
from halon.clients.aws.failures import AwsNotFound
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_EVERYBODY = frozenset(
    f"http://acs.amazonaws.com/groups/global/{group}"  # names, which nothing is fetched from
    for group in ("AllUsers", "AuthenticatedUsers")
)
_QUESTIONS = {
    "blocked": ("get_public_access_block", "PublicAccessBlockConfiguration", NOTHING_BLOCKED),
    "status": ("get_bucket_policy_status", "PolicyStatus", NO_POLICY),
    "grants": ("get_bucket_acl", "Grants", ""),
    "versioning": ("get_bucket_versioning", "Status", ""),
    "lock": ("get_object_lock_configuration", "ObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"),
    "encryption": (
        "get_bucket_encryption",
        "ServerSideEncryptionConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
    "log": ("get_bucket_logging", "LoggingEnabled", ""),
    "tags": ("get_bucket_tagging", "TagSet", "NoSuchTagSet"),
}
"""Operation, where the answer is, and what S3 says when it was never set."""


class Bucket(Output):
    """A bucket, as far as an incident needs it."""

    name: str
    """Its name."""
    region: str
    """Where it is."""
    blocked: tuple[str, ...]
    """What is blocked of public access here, as S3 names it; the account may block more."""
    public_by_policy: bool
    """Whether S3 calls its policy public."""
    public_by_acl: bool
    """Whether its access control list names everybody."""
    statements: int
    """Statements of its policy."""
    versioning: Literal["Enabled", "Suspended", "Off"]
    """Whether what is overwritten or deleted can be had back."""
    object_lock: bool
    """Whether objects in it can be locked, as evidence must be."""
    encrypted_with: str
    """Algorithm of its default encryption, such as `aws:kms`; empty without."""
    logs_to: str
    """The bucket that its access log goes to; empty without."""
    tags: dict[str, str]
    """Its tags."""


class GetBucket(Read[Bucket]):
    """Look at a bucket: what is public about it, whether what was deleted can be had back, and where its log goes.

    Raises NotFound when there is no such bucket, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            (
                *("s3:GetBucketLocation", "s3:GetBucketPublicAccessBlock", "s3:GetBucketPolicyStatus"),
                *("s3:GetBucketPolicy", "s3:GetBucketAcl", "s3:GetBucketVersioning", "s3:GetBucketLogging"),
                *("s3:GetBucketObjectLockConfiguration", "s3:GetEncryptionConfiguration", "s3:GetBucketTagging"),
            ),
            BUCKET,
            "to look at it",
        ),
    )
    example: ClassVar[JsonObject] = {"bucket": "shop-uploads"}

    bucket: BucketName
    """The bucket."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The bucket's region; without it, the account's own."""

    def target(self) -> str:
        """Name the bucket."""
        return target(self.account, self.region, "s3", self.bucket)

    async def run(self, env: Env) -> Bucket:
        """Ask S3, question by question: what was never set is not there."""
        account, where = account_of(env, self.account), {"Bucket": self.bucket, "region": self.region}
        location = await account.call("s3", "get_bucket_location", **where)
        found: dict[str, Any] = {name: await _ask(account, question, where) for name, question in _QUESTIONS.items()}
        rules: list[dict[str, Any]] = section(found, "encryption").get("Rules") or [{}]
        return Bucket(
            name=self.bucket,
            region=str(location.get("LocationConstraint") or "us-east-1"),
            blocked=tuple(one for one in ALL if section(found, "blocked").get(one)),
            public_by_policy=bool(section(found, "status").get("IsPublic")),
            public_by_acl=any(one["Grantee"].get("URI") in _EVERYBODY for one in found["grants"] or ()),
            statements=len(parsed(await read_policy(account, self.bucket, self.region)).statements),
            versioning=found["versioning"] or "Off",
            object_lock=section(found, "lock").get("ObjectLockEnabled") == "Enabled",
            encrypted_with=str(section(rules[0], "ApplyServerSideEncryptionByDefault").get("SSEAlgorithm", "")),
            logs_to=str(section(found, "log").get("TargetBucket", "")),
            tags={str(one["Key"]): str(one["Value"]) for one in found["tags"] or ()},
        )


async def _ask(account: Account, question: tuple[str, str, str], where: dict[str, Any]) -> Any:
    """Ask one question; None when S3 says that it was never set."""
    operation, key, unset = question
    try:
        return (await account.call("s3", operation, **where)).get(key)
    except AwsNotFound as error:
        if error.code != unset:
            raise
        return None
