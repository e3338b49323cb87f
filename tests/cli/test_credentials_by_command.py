"""`halon keys` makes keys, and `halon preflight` says which credentials are missing: neither repeats a value."""

import base64
import json
import stat
from pathlib import Path

from command import Shell

from halon.clients.seals import Sealer, read_private_key

NAMED = """
temporal: {encryption: {current: k1, keys: {k1: {file: key}}}}
gateway:
  sources:
    am: {type: alertmanager, auth: {bearer: [{env: HALON_NOT_SET}, {file: token}]}}
notify: {channels: {chat: [{env: HALON_NOT_SET}]}}
kubernetes: {clusters: {eu: {kubeconfig: none.yaml}}}
"""


def test_a_new_key_is_32_bytes_in_base64_and_never_the_same(shell: Shell) -> None:
    one, two = (shell("keys", "new").out.strip() for _ in range(2))
    assert len(base64.b64decode(one, validate=True)) == 32
    assert one != two
    assert len(base64.b64decode(json.loads(shell("keys", "new", "--json").out)["key"])) == 32


def test_a_key_in_a_file_is_for_its_owner_only_and_never_overwritten(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "new.key"
    assert shell("keys", "new", "--out", str(file)).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    again = shell("keys", "new", "--out", str(file))
    assert (again.code, "is there already" in again.err, file.read_text()) == (2, True, before)
    assert before.strip() not in again.out + again.err


def test_a_key_to_sign_with_is_for_its_owner_only_and_its_public_half_is_printed(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ana.pem"
    answer = shell("keys", "signing", str(file))
    assert answer.out.strip() == Sealer(read_private_key(file.read_bytes(), "ana.pem")).public
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert shell("keys", "signing", str(file)).code == 2


def test_preflight_says_what_is_missing_from_where_and_for_which_setting(shell: Shell) -> None:
    shell.config.write_text(NAMED)
    directory = shell.config.parent
    (directory / "token").write_text("planted-token")
    shell("keys", "new", "--out", str(directory / "key"))
    answer = shell("preflight", "--json")
    assert answer.code == 1
    found = {one["setting"]: one for one in json.loads(answer.out)["credentials"]}
    assert {setting: one["state"] for setting, one in found.items()} == {
        "temporal.encryption.keys.k1": "ok",
        "gateway.sources.am.auth.bearer": "fallback",
        "notify.channels.chat[0]": "missing",
        "kubernetes.clusters.eu.kubeconfig": "missing",
    }
    bearer = found["gateway.sources.am.auth.bearer"]
    assert bearer["source"] == f"the file {directory / 'token'}"
    assert bearer["problems"] == ["the environment variable HALON_NOT_SET is not set"]
    assert "No such file" in found["kubernetes.clusters.eu.kubeconfig"]["problems"][0]
    assert "2 credentials of 4 missing" in answer.err
    assert "planted-token" not in answer.out + answer.err + shell("preflight").out


def test_preflight_looks_at_the_parts_that_are_named_and_is_content_when_they_are_there(shell: Shell) -> None:
    shell.config.write_text(NAMED)
    (shell.config.parent / "token").write_text("planted-token")
    answer = shell("preflight", "gateway")
    assert answer.code == 0
    assert answer.out.startswith("fallback  gateway.sources.am.auth.bearer  the file ")
    assert "notify" not in answer.out


def test_a_key_that_is_none_is_missing(shell: Shell) -> None:
    shell.config.write_text(NAMED)
    (shell.config.parent / "key").write_text("planted-short-key")
    answer = shell("preflight", "temporal")
    assert (answer.code, "must hold 32 bytes in base64" in answer.out) == (1, True)
    assert "planted-short-key" not in answer.out


def test_a_command_says_which_key_is_missing(shell: Shell) -> None:
    shell.config.write_text("temporal: {encryption: {current: k1, keys: {k1: [{env: HALON_NOT_SET}, {file: none}]}}}")
    answer = shell("pause", "--reason", "x")
    assert answer.code == 1
    assert answer.err.startswith("error: `temporal.encryption.keys.k1` names 2 sources, and none gives the secret")
    assert "HALON_NOT_SET, which is not set" in answer.err
