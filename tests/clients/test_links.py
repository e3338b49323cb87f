"""Links are short, always the same for the same question, and made only where gateways will take them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from halon.clients.links import Link, link_maker
from halon.clients.seals import Sealer
from halon.settings.loading import parse_settings

PUBLIC = 'gateway: {public_url: "https://halon.example.com/halon/"}'


def test_a_link_is_short_and_the_same_however_often_it_is_made(tmp_path: Path) -> None:
    settings = parse_settings(PUBLIC, tmp_path / "halon.yaml")
    maker = link_maker(settings)
    assert maker is not None
    link = Link(
        person="ana@example.com",
        run=f"crashloop-rollback-{'0' * 10}-{'0' * 8}-run-2",
        step="steps/roll-back[3]",
        plan="a" * 64,
        until=datetime(2026, 12, 24, 3, 0, 0, 123456, tzinfo=UTC),
    )
    assert maker.url(link) == maker.url(link.model_copy(update={"until": link.until.replace(microsecond=0)}))
    assert len(maker.url(link)) < 500
    assert link.id != link.model_copy(update={"until": link.until + timedelta(minutes=1)}).id


def test_a_worker_without_the_gateways_key_makes_no_links(tmp_path: Path) -> None:
    elsewhere = parse_settings(
        f'approvals: {{trusted_keys: ["{Sealer(Ed25519PrivateKey.generate()).public}"]}}\n'
        'gateway: {public_url: "https://halon.example.com"}',
        tmp_path / "halon.yaml",
    )
    assert link_maker(elsewhere) is None
    assert link_maker(parse_settings("gateway: {}", tmp_path / "halon.yaml")) is None
