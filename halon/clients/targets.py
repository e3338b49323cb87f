"""The clusters and accounts of halon.yaml, as those see them who ask what is needed where."""

from halon.kit.privileges.iam import AwsAccount
from halon.settings import Settings


def default_cluster(settings: Settings) -> str:
    """Give the name of the cluster that is meant when a playbook names none; empty when it has no name."""
    known = settings.kubernetes.clusters
    return settings.kubernetes.default or (next(iter(known)) if len(known) == 1 else "")


def accounts_of(settings: Settings) -> list[AwsAccount]:
    """Give the accounts; without any in halon.yaml the nameless one of the credentials that are found."""
    known = settings.aws.accounts
    default = settings.aws.default or (next(iter(known)) if len(known) == 1 else "")
    return [
        AwsAccount(
            name=name,
            account_id=one.account_id or (one.role.split(":")[4] if one.role else ""),
            region=one.region or "",
            regions=one.regions,
            is_default=name == default,
        )
        for name, one in known.items()
    ] or [AwsAccount()]
