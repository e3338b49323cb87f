"""Accounts of AWS: who Halon is in them, one attempt a call, and AWS's errors as ours."""

from collections.abc import Iterator
from typing import Any

import pytest
from emulator import ACCOUNT, REGION, Emulator, emulated

from halon.clients.aws.api import Account, AwsApi
from halon.clients.aws.failures import AwsNotFound, AwsRefusal
from halon.clients.aws.iam import iam_action
from halon.errors import (
    Conflict,
    HalonError,
    InvalidInput,
    Misconfigured,
    NotFound,
    PermanentError,
    PermissionDenied,
    TransientError,
)
from halon.settings.aws import AwsAccount, AwsAccounts

SECRET = "planted-secret-key"


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    with emulated() as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def calm(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.throttling, aws.losing, aws.journal[:], aws.denied = False, 0, [], set()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


def api(aws: Emulator, **given: Any) -> AwsApi:
    one = AwsAccount.model_validate({"endpoint": aws.url, "region": REGION, **given})
    return AwsApi(AwsAccounts(accounts={"prod": one}))


def account(aws: Emulator, **given: Any) -> Account:
    return api(aws, **given).account("prod")


async def error_of(aws: Emulator, service: str, operation: str, **params: Any) -> HalonError:
    with pytest.raises(HalonError) as caught:
        await account(aws).call(service, operation, **params)
    assert SECRET not in str(caught.value)
    return caught.value


async def test_an_assumed_role_acts_with_what_the_role_may_and_no_more(aws: Emulator) -> None:
    role = aws.role(["iam:CreateUser", "iam:GetUser"])
    one = account(aws, role=role, external_id="given-by-us", account_id=ACCOUNT)
    made = await one.call("iam", "create_user", UserName="ada")
    assert made["User"]["UserName"] == "ada"
    assert aws.journal == ['iam:CreateUser {"UserName": "ada"}']
    with pytest.raises(PermissionDenied, match="AWS account prod: Halon's credentials may not iam:ListUsers"):
        await one.call("iam", "list_users")
    assert (await one.identity())["account"] == ACCOUNT


async def test_credentials_of_another_account_are_refused_before_anything_is_done(aws: Emulator) -> None:
    one = account(aws, account_id="999999999999")
    with pytest.raises(Misconfigured, match=f"prod is account 999999999999, and the credentials are {ACCOUNT}'s"):
        await one.call("iam", "create_user", UserName="eve")
    assert aws.journal == []


def test_an_account_may_be_called_by_its_number_as_events_of_aws_do() -> None:
    role = "arn:aws:iam::222222222222:role/halon"
    given = {"prod": {"account_id": "111111111111"}, "test": {"role": role}, "audit": {"role": f"{role}-audit"}}
    some = AwsApi(AwsAccounts.model_validate({"accounts": given}))
    assert some.account("111111111111").name == "prod"
    with pytest.raises(Misconfigured, match="no account '222222222222'"):  # it has two roles there
        some.account("222222222222")
    with pytest.raises(Misconfigured, match="no account '333333333333'"):
        some.account("333333333333")


async def test_accounts_and_regions_are_those_of_the_settings(aws: Emulator) -> None:
    some = AwsApi(AwsAccounts(accounts={"prod": AwsAccount(), "test": AwsAccount()}))
    with pytest.raises(Misconfigured, match=r"no account 'dev' under aws\.accounts; it names: prod, test"):
        some.account("dev")
    with pytest.raises(Misconfigured, match="no default among several accounts"):
        some.account("")
    assert AwsApi(AwsAccounts()).account("").name == "default"
    assert api(aws).account("").name == "prod"
    one = account(aws, regions=[REGION])
    with pytest.raises(Misconfigured, match=r"aws\.accounts\.prod\.regions in halon\.yaml has no us-east-1"):
        await one.call("ec2", "describe_instances", region="us-east-1")
    nowhere = AwsApi(AwsAccounts(accounts={"prod": AwsAccount.model_validate({"endpoint": aws.url})})).account("prod")
    with pytest.raises(Misconfigured, match="none is set"):
        await nowhere.call("ec2", "describe_instances")
    assert await nowhere.pages("iam", "list_roles", "Roles") == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"role": "arn:aws:iam::1:role/x"}, "role"),
        ({"role": "arn:aws:iam::123456789012:role/x", "account_id": "999999999999"}, "999999999999"),
        ({"external_id": "abc"}, "belongs to a `role`"),
        ({"region": "eu-west-1", "regions": ["us-east-1"]}, "not among `regions`"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AwsAccount.model_validate(given)


async def test_errors_of_aws_come_out_as_ours(aws: Emulator) -> None:
    missing = await error_of(aws, "iam", "get_user", UserName="nobody")
    assert isinstance(missing, AwsNotFound)
    assert missing.code == "NoSuchEntity"
    assert isinstance(await error_of(aws, "s3", "head_bucket", Bucket="none-of-that-name"), NotFound)
    assert isinstance(await error_of(aws, "ec2", "describe_instances", InstanceIds=["i-0123456789abcdef0"]), NotFound)
    assert isinstance(await error_of(aws, "secretsmanager", "describe_secret", SecretId="none"), NotFound)
    await account(aws).call("iam", "create_group", GroupName="twice")
    assert isinstance(await error_of(aws, "iam", "create_group", GroupName="twice"), Conflict)
    assert isinstance(await error_of(aws, "iam", "get_user", UserName=3), InvalidInput)
    rehearsed = await error_of(aws, "ec2", "create_security_group", GroupName="x", Description="x", DryRun=True)
    assert isinstance(rehearsed, AwsRefusal)
    assert rehearsed.code == "DryRunOperation"


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("iam", "list_users"),
        ("ec2", "describe_instances"),
        ("s3", "list_buckets"),
        ("secretsmanager", "list_secrets"),
        ("lambda", "list_functions"),
        ("route53", "list_hosted_zones"),
        ("cloudwatch", "describe_alarms"),
    ],
)
async def test_throttling_and_a_missing_right_are_told_apart_in_every_protocol(
    aws: Emulator, service: str, operation: str
) -> None:
    aws.throttling = True
    assert isinstance(await error_of(aws, service, operation), TransientError)
    aws.throttling = False
    model = account(aws)._session.client(service, REGION).meta.method_to_api_mapping[operation]
    action = iam_action(service, model)
    aws.denied = {action}
    denied = await error_of(aws, service, operation)
    assert isinstance(denied, PermissionDenied)
    assert action in str(denied)


async def test_a_lost_answer_is_not_asked_again(aws: Emulator) -> None:
    aws.losing = 1
    assert isinstance(await error_of(aws, "iam", "create_user", UserName="lost"), TransientError)
    assert aws.journal == ['iam:CreateUser {"UserName": "lost"}']


async def test_without_credentials_or_aws_the_error_says_which(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = AwsApi(AwsAccounts(accounts={"prod": AwsAccount(endpoint="http://127.0.0.1:9", region=REGION)}))
    with pytest.raises(TransientError, match="no answer"):
        await nobody.account("").call("iam", "list_users")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert isinstance(await error_of(aws, "iam", "list_users"), Misconfigured)
    with pytest.raises(Misconfigured, match="no credentials"):
        await account(aws, role=aws.role([])).call("iam", "list_users")


async def test_a_list_is_read_over_all_pages_and_bounded(aws: Emulator) -> None:
    one = account(aws)
    for number in range(3):
        await one.call("iam", "create_role", RoleName=f"role-{number}", AssumeRolePolicyDocument="{}")
    found = await one.pages("iam", "list_roles", "Roles", PaginationConfig={"PageSize": 2})
    assert sorted(role["RoleName"] for role in found) == ["role-0", "role-1", "role-2"]
    with pytest.raises(PermanentError, match="more than 2"):
        await one.pages("iam", "list_roles", "Roles", most=2)
