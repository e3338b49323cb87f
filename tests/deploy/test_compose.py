"""What compose.yaml and the image promise: confined processes, no secret in the files, an order that works."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from halon.settings import SecretRef, load_settings
from halon.settings.model import Section, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LASTING = {name: service for name, service in SERVICES.items() if service.get("restart") == "unless-stopped"}

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
our_service = pytest.mark.parametrize("service", OURS.values(), ids=OURS)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(DEPLOY / "halon.yaml")


def secret_files(section: Section) -> Iterator[Path]:
    """Every file with a secret that the settings name."""
    for value in dict(section).values():
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
        for one in inside:
            if isinstance(one, SecretRef):
                yield from (source.file for source in one.sources if source.file)
            elif isinstance(one, Section):
                yield from secret_files(one)


@every_service
def test_a_service_has_no_capability_that_it_does_not_name_and_gains_none(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "network_mode", "user"} & set(service)


@our_service
def test_our_services_write_to_their_volume_and_to_tmp_only(service: dict[str, Any], settings: Settings) -> None:
    assert service["read_only"] is True
    writable = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
    assert writable == [f"halon:{settings.data_dir}"]
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]  # noqa: S108  # a mount of the container


@every_service
def test_an_image_has_a_version(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z/-]+:\d+(\.\d+)*", service["image"])


@every_service
def test_a_port_is_published_on_the_loopback_only(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@every_service
def test_no_secret_is_in_the_file(service: dict[str, Any]) -> None:
    for name, value in service.get("environment", {}).items():
        if re.search("PASSWORD|PWD|TOKEN|KEY", name):
            assert value.startswith("${POSTGRES_PASSWORD:?")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_those_before_it_to_be_ready_or_done(name: str) -> None:
    for before, how in SERVICES[name].get("depends_on", {}).items():
        if before in LASTING:
            assert how == {"condition": "service_healthy"}
            assert SERVICES[before]["healthcheck"]["test"]
        else:
            assert how == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_gateway_and_worker_begin_when_setup_is_done(name: str) -> None:
    assert "setup" in SERVICES[name]["depends_on"]


def test_the_settings_name_secrets_that_are_mounted_and_volumes_that_are_there(settings: Settings) -> None:
    mounted = {f"/run/secrets/{secret}" for service in OURS.values() for secret in service.get("secrets", [])}
    wanted = {str(file) for file in secret_files(settings)}
    wanted |= {str(cluster.kubeconfig) for cluster in settings.kubernetes.clusters.values()}
    assert wanted == mounted
    places = {volume.split(":")[1] for volume in SERVICES["gateway"]["volumes"]}
    assert {"/etc/halon/halon.yaml", *map(str, settings.playbooks)} <= places


def test_a_kubeconfig_reaches_the_worker_only() -> None:
    assert [name for name, service in SERVICES.items() if "kubeconfig" in service.get("secrets", [])] == ["worker"]


def test_health_checks_ask_where_the_settings_listen(settings: Settings) -> None:
    assert f"'127.0.0.1', {settings.gateway.port}," in DOCKERFILE
    assert f"'127.0.0.1', {settings.telemetry.metrics_port}," in " ".join(SERVICES["worker"]["healthcheck"]["test"])


@pytest.mark.parametrize("mount", sorted({volume for one in SERVICES.values() for volume in one.get("volumes", [])}))
def test_what_is_mounted_exists(mount: str) -> None:
    source = mount.partition(":")[0]
    assert source in COMPOSE["volumes"] or (DEPLOY / source).exists()


def test_the_image_ends_without_root_and_starts_in_exec_form() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    for instruction in ("ENTRYPOINT", "CMD"):
        (found,) = re.findall(rf"^{instruction} (.+)$", final, re.MULTILINE)
        assert json.loads(found)


def test_the_health_check_of_the_image_is_a_program_that_compiles() -> None:
    command = json.loads(re.findall(r"^  CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)[0])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")


def test_the_build_sees_only_what_the_wheel_is_made_of() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    seen = [line[1:] for line in lines if line.startswith("!")]
    assert all((ROOT / path).exists() for path in seen)
    assert {"halon", "workflows", "activities", "playbooks", "worker.py", "requirements/constraints.txt"} <= set(seen)


@pytest.mark.parametrize("script", ["halon-database.sh", "install.sh", "temporal-schema.sh"])
def test_a_script_is_one_for_any_shell(script: str) -> None:
    subprocess.run(["/bin/sh", "-n", DEPLOY / script], check=True)  # noqa: S603  # our own script, not run
