"""Privileges are worked out for the accounts that halon.yaml names."""

import json

from halon.clients.targets import accounts_of
from halon.kit.privileges.iam import AwsAccount
from halon.settings import Settings

PROD = {"account_id": "123456789012", "region": "eu-west-1", "regions": ["eu-west-1", "eu-central-1"]}
LAB = {"role": "arn:aws:iam::210987654321:role/halon"}


def settings(aws: object) -> Settings:
    return Settings.model_validate_json(json.dumps({"aws": aws}))


def test_each_account_is_known_with_its_number_and_its_regions() -> None:
    prod, lab = accounts_of(settings({"default": "prod", "accounts": {"prod": PROD, "lab": LAB}}))
    assert prod == AwsAccount("prod", "123456789012", "eu-west-1", ("eu-west-1", "eu-central-1"), is_default=True)
    assert lab == AwsAccount("lab", "210987654321", is_default=False)


def test_a_single_account_is_the_default_one() -> None:
    assert accounts_of(settings({"accounts": {"lab": LAB}})) == [AwsAccount("lab", "210987654321")]


def test_of_several_accounts_none_is_the_default_unless_it_is_said() -> None:
    assert [one.is_default for one in accounts_of(settings({"accounts": {"prod": PROD, "lab": LAB}}))] == [False, False]


def test_without_accounts_there_is_the_one_of_the_credentials_that_are_found() -> None:
    assert accounts_of(Settings()) == [AwsAccount()]
