"""People, groups and roles in halon.yaml know each other, or the file is refused with the place."""

from pathlib import Path

import pytest

from halon.errors import HalonError
from halon.settings.loading import parse_settings


def test_people_groups_and_roles_are_read() -> None:
    text = """
people: {ana: {email: ana@example.com, aliases: [alopez]}, ben: {delegates: [{to: ANA, until: 2027-01-01T00:00:00Z}]}}
groups: {sre: {members: [ana@example.com, ben]}}
roles: {owner: {may: [administer], to: ["group:sre", alopez]}}
"""
    settings = parse_settings(text, Path("halon.yaml"))
    assert settings.groups["sre"].members == ("ana@example.com", "ben")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("people: {ana: {aliases: [x]}, ben: {email: b@c.d, aliases: [X]}}", "share the name X"),
        ("people: {ana: {slack: U0X1}, ben: {slack: U0X1}}", "share Slack's id U0X1"),
        ("groups: {sre: {calendar: {}}}", "exactly one of `file` and `url`"),
        ("groups: {sre: {calendar: {url: 'http://calendar.example.com/x.ics'}}}", "https://"),
        ("groups: {sre: {opsgenie: {schedule: a, token: {env: T}, url: 'http://169.254.169.254'}}}", "https://"),
        ("groups: {sre: {pagerduty: {token: {env: T}}}}", "exactly one of `schedule` and `escalation_policy`"),
        (
            "groups: {sre: {calendar: {file: x.ics}, opsgenie: {schedule: a, token: {env: T}}}}",
            "at most one of `calendar`, `pagerduty` and `opsgenie`",
        ),
        ("groups: {sre: {calendar: {file: x.ics, timezone: Mars}}}", "no time zone Mars"),
        ("people: {ana: {}}\ngroups: {sre: {members: [dan]}}", "`groups.sre` names dan"),
        ("people: {ana: {}}\nroles: {all: {may: [read], to: ['group:sre']}}", "`roles.all` names group:sre"),
        ("people: {ana: {delegates: [{to: dan, until: 2027-01-01T00:00:00Z}]}}", "`people.ana.delegates` names dan"),
        ("people: {ana: {}}\ngroups: {a: {members: ['group:b']}}", "a group holds people, not groups"),
        ("people: {ana: {tokens: [letmein]}}", "sha256:"),
        ("people: {ana: {keys: [letmein]}}", "ed25519:"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, finding: str) -> None:
    with pytest.raises(HalonError) as caught:
        parse_settings(text, Path("halon.yaml"))
    assert finding in str(getattr(caught.value, "problems", caught.value))
