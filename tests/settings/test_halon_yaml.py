"""halon.yaml: where it is found, what it may say, and what is said when it is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from halon.errors import InvalidInput, Misconfigured
from halon.settings import SecretRef, Settings, load_settings, resolve
from halon.settings.loading import parse_settings

EVERYTHING = """
environment: production
data_dir: data
playbooks: [playbooks, ../shared/playbooks]
temporal:
  address: temporal.example.com:7233
  namespace: halon
  task_queue: halon-eu
  tls: {ca: ca.pem, certificate: client.pem, key: client.key}
  api_key: {file: secrets/temporal}
  ui_url: https://temporal.example.com
store: {url: "postgresql+asyncpg://halon@db.example.com/halon", password: {env: HALON_DB_PASSWORD}}
evidence: {dir: /var/lib/halon/evidence}
gateway:
  host: 0.0.0.0
  port: 9000
  max_body: 2097152
  body_timeout: 5s
  sources:
    alertmanager: {type: alertmanager, auth: {bearer: {env: ALERTMANAGER_TOKEN}}}
    checks:
      type: generic
      auth:
        hmac: {secret: {file: secrets/checks}, prefix: "sha256=", timestamp_header: X-Timestamp, tolerance: 1m}
      map:
        items: ${{ body.events }}
        name: ${{ item.check }}
        starts_at: ${{ item.since }}
        labels: {service: "${{ item.service }}", team: web}
    lab: {type: alertmanager, auth: {none: true}}
kubernetes:
  default: eu-1
  clusters: {eu-1: {kubeconfig: kube.yaml, context: eu}}
prometheus: {url: "http://prometheus.example.com:9090", auth: {env: PROMETHEUS_TOKEN}}
notify: {channels: {oncall: [{env: ONCALL_URL}, {file: secrets/chat}]}}
http: {allow: ["*.example.com"]}
telemetry: {otlp: "http://127.0.0.1:4318", log_format: json, log_level: warning, metrics_port: 9464}
approvals: {trust: namespace}
"""


def test_everything_can_be_said(tmp_path: Path) -> None:
    settings = parse_settings(EVERYTHING, tmp_path / "halon.yaml")
    assert settings.gateway.body_timeout == timedelta(seconds=5)
    assert settings.gateway.sources["checks"].map is not None
    assert settings.kubernetes.clusters["eu-1"].context == "eu"
    assert settings.temporal.address == "temporal.example.com:7233"


def test_relative_paths_are_taken_from_the_file_and_absolute_ones_stay(tmp_path: Path) -> None:
    settings = parse_settings(EVERYTHING, tmp_path / "halon.yaml")
    assert settings.data_dir == tmp_path / "data"
    assert settings.playbooks[1] == tmp_path / "../shared/playbooks"
    assert settings.evidence_dir == Path("/var/lib/halon/evidence")
    assert settings.kubernetes.clusters["eu-1"].kubeconfig == tmp_path / "kube.yaml"
    assert settings.notify.channels["oncall"][1].sources[0].file == tmp_path / "secrets/chat"
    hmac = settings.gateway.sources["checks"].auth.hmac
    assert hmac is not None
    assert hmac.secret.sources[0].file == tmp_path / "secrets/checks"


def test_the_defaults_work_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ={})
    assert settings.data_dir == tmp_path / ".halon"
    assert settings.store_url == f"sqlite+aiosqlite:///{tmp_path}/.halon/halon.db"
    assert settings.evidence_dir == tmp_path / ".halon" / "evidence"
    assert settings.gateway.max_body == 1024 * 1024
    assert settings.temporal.address == "127.0.0.1:7233"


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "{}"])
def test_an_empty_file_means_the_defaults(text: str, tmp_path: Path) -> None:
    assert parse_settings(text, tmp_path / "halon.yaml").temporal == Settings().temporal


def test_the_file_is_the_one_that_is_named_before_the_one_that_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("halon", "variable", "argument"):
        (tmp_path / f"{name}.yaml").write_text(f"environment: {name}")
    assert load_settings(environ={}).environment == "halon"
    variable = {"HALON_CONFIG": "variable.yaml"}
    assert load_settings(environ=variable).environment == "variable"
    assert load_settings(tmp_path / "argument.yaml", variable).environment == "argument"


def test_the_environment_of_the_process_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.yaml").write_text("environment: other")
    monkeypatch.setenv("HALON_CONFIG", str(tmp_path / "other.yaml"))
    assert load_settings().environment == "other"


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"missing\.yaml cannot be read: No such file"):
        load_settings(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("text", "place", "finding"),
    [
        ("gateway: {sources: {a: {type: alertmanager}}}", "1:", "auth: {none: true}"),
        ("gateway: {sources: {a: {type: alertmanager, auth: {}}}}", "1:", "auth: {none: true}"),
        ("gateway: {sources: {a: {type: alertmanager, auth: {none: false}}}}", "1:", ""),
        ("gateway: {sources: {a: {type: alertmanager, auth: {none: true, bearer: {env: A}}}}}", "1:", "exactly one of"),
        ("gateway: {sources: {a: {type: alertmanager, auth: {bearer: s3cret}}}}", "1:", "{env: NAME}"),
        ("gateway: {sources: {a: {type: generic, auth: {none: true}}}}", "1:", "needs `map`"),
        ("prometheus: {auth: {env: A, file: b}}", "1:", "exactly one of `env`, `file`, `vault` and `aws`"),
        ("prometheus: {url: 'https://ana:pw@example.com'}", "1:", ""),
        ("store: {url: 'postgresql+asyncpg://halon:pw@db/halon'}", "1:", "name it in `password`"),
        ("store: {url: 'mysql://db/halon'}", "1:", ""),
        ("kubernetes: {default: a}", "1:", "which is not under `clusters`"),
        ("temporal:\n  addres: x:1", "2:3", "address"),
        ("temporal: {address: localhost}", "1:", ""),
        ("temporal:\n  address: 127.0.0.1:99999", "2:12", "a port is a number from 1 to 65535"),
        ("gateway: {port: 99999}", "1:", "at most"),
        ("gateway: {body_timeout: 10}", "1:", "duration"),
        ("a: 1\na: 2", "2:1", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, finding: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_settings(text, tmp_path / "halon.yaml")
    problems = "\n".join(caught.value.problems)
    assert f"halon.yaml:{place}" in problems
    assert finding in problems
    assert "s3cret" not in problems


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().environment = "other"  # type: ignore[misc]  # the point


def test_a_secret_comes_from_the_variable_or_the_file_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    assert resolve(SecretRef(env="TOKEN"), "x", {"TOKEN": "from env"}).get_secret_value() == "from env"
    assert resolve(SecretRef(file=tmp_path / "secret"), "x", {}).get_secret_value() == "from the file"


def test_a_secret_does_not_show_when_it_is_printed() -> None:
    assert "from env" not in repr(resolve(SecretRef(env="TOKEN"), "x", {"TOKEN": "from env"}))


def test_a_missing_secret_is_told_by_setting_and_by_variable_or_file(tmp_path: Path) -> None:
    setting = "gateway.sources.a.auth.bearer"
    with pytest.raises(Misconfigured, match=rf"`{setting}` names the environment variable TOKEN, which is not set"):
        resolve(SecretRef(env="TOKEN"), setting, {})
    with pytest.raises(Misconfigured, match="TOKEN, which is empty"):
        resolve(SecretRef(env="TOKEN"), setting, {"TOKEN": " "})
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        resolve(SecretRef(file=tmp_path / "missing"), setting)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="not UTF-8"):
        resolve(SecretRef(file=tmp_path / "binary"), setting)
    (tmp_path / "huge").write_bytes(b"x" * 70_000)
    with pytest.raises(Misconfigured, match="larger than"):
        resolve(SecretRef(file=tmp_path / "huge"), setting)
