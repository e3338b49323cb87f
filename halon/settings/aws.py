"""The AWS accounts that actions may reach, and as whom."""

from collections import Counter
from typing import Annotated, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from halon.settings.credentials import Region
from halon.settings.section import HttpUrl, OwnWorker, Section

MAX_ACCOUNTS = 200
AccountId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
RoleArn: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", max_length=600)
]
ExternalId: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_+=,.@:/-]+$", min_length=2, max_length=1224)
]
Document: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.-]{3,128}$")]
AccountName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$")]


class AwsAccount(Section):
    """One account. Without `role`: whoever boto3 finds out that Halon is, such as the role of its pod or instance."""

    account_id: AccountId | None = None
    """With it nothing is done with credentials that turn out to be another account's."""
    role: RoleArn | None = None
    """The role that is assumed for each action."""
    external_id: ExternalId | None = None
    """What the role's trust policy asks for, when it asks; AWS does not treat it as a secret."""
    region: Region | None = None
    """The region of actions that name none."""
    regions: Annotated[tuple[Region, ...], Field(max_length=50)] = ()
    """The only regions that actions may reach; without it all."""
    documents: Annotated[tuple[Document, ...], Field(max_length=100)] = ()
    """The only documents of SSM that `aws.run_command` runs, by their exact names; without it none."""
    endpoint: HttpUrl | None = None
    """Another address than AWS's own, for every service, such as an emulator's."""
    worker: OwnWorker = False
    """`true`: it is reached by a worker of its own and by no other; a name: by one that several targets share."""

    @model_validator(mode="after")
    def _belongs_together(self) -> "AwsAccount":
        if self.external_id is not None and self.role is None:
            raise ValueError("`external_id` belongs to a `role`")
        if self.role is not None and self.account_id is not None and self.role.split(":")[4] != self.account_id:
            raise ValueError(f"`role` is in account {self.role.split(':')[4]}, and `account_id` is {self.account_id}")
        if self.regions and self.region is not None and self.region not in self.regions:
            raise ValueError(f"`region` {self.region} is not among `regions`")
        return self


class AwsAccounts(Section):
    """The accounts, by the name that playbooks use. Without any there is one: the one of boto3's own credentials."""

    default: AccountName | None = None
    accounts: Annotated[dict[AccountName, AwsAccount], Field(max_length=MAX_ACCOUNTS)] = {}

    @property
    def numbers(self) -> dict[str, str]:
        """The name by the account's number, for those numbers that only one of them has."""
        known = [(one.account_id or _number(one), name) for name, one in self.accounts.items()]
        seen = Counter(number for number, _ in known)
        return {number: name for number, name in known if number and seen[number] == 1}

    def named(self, account: str) -> str:
        """Give the name of an account that is called by its number, as AWS's own events do; others as they are.

        A number that several accounts of halon.yaml have, such as with different roles, stays a number.
        """
        return account if account in self.accounts else self.numbers.get(account, account)

    @model_validator(mode="after")
    def _default_exists(self) -> "AwsAccounts":
        if self.default is not None and self.default not in self.accounts:
            raise ValueError(f"`default` names account {self.default}, which is not under `accounts`")
        return self


def _number(account: AwsAccount) -> str:
    return account.role.split(":")[4] if account.role else ""
