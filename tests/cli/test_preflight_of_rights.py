"""`halon preflight` asks the live systems for what the installed playbooks need, and is content with nothing less."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from command import Shell

from halon.demo.cluster import DemoCluster

RESTART = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: restart-cart, title: Restart the cart, owner: team-a}
steps:
  - id: restart
    uses: kubernetes.restart_deployment
    with: {namespace: shop, name: cart}
"""


@pytest.fixture
async def demo(shell: Shell) -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as one:
        kubeconfig = one.kubeconfig_for(one.add_account("halon", "halon"))
        shell.config.write_text(f"kubernetes: {{clusters: {{eu: {{kubeconfig: {kubeconfig}}}}}}}\n")
        (shell.config.parent / "playbooks" / "restart.yaml").write_text(RESTART)
        yield one


async def test_it_says_which_step_misses_what_until_the_generated_roles_are_there(
    shell: Shell, demo: DemoCluster
) -> None:
    before = await asyncio.to_thread(shell, "preflight", "-n", "shop")
    assert before.code == 1
    assert "missing   cluster eu  patch apps/deployments named cart in namespace shop" in before.out
    assert "needed by restart-cart (restart)" in before.out
    assert "permissions of" in before.err
    roles = shell("permissions", "--format", "kubernetes", "-n", "shop").out
    for document in yaml.safe_load_all(roles):
        await demo.apply(document)
    after = await asyncio.to_thread(shell, "preflight", "-n", "shop")
    assert (after.code, after.err) == (0, "")
    assert "allowed   cluster eu  " in after.out
    report = (await asyncio.to_thread(shell, "preflight", "--json")).json
    assert report["ok"] is True
    assert {one["state"] for one in report["permissions"]} == {"allowed"}
    assert report["permissions"][0]["needed_by"][0]["playbook"] == "restart-cart"


async def test_what_cannot_be_asked_is_not_fine(shell: Shell, demo: DemoCluster, tmp_path: Path) -> None:
    away = tmp_path / "away"
    text = demo.kubeconfig.read_text().replace(demo.url, "https://127.0.0.1:9")
    away.write_text(text)
    shell.config.write_text(f"kubernetes: {{clusters: {{eu: {{kubeconfig: {away}}}}}}}\n")
    answer = await asyncio.to_thread(shell, "preflight")
    assert answer.code == 1
    assert "unknown   cluster eu" in answer.out
    assert "permissions could not be asked for" in answer.out
    assert "not known" in answer.err
    skipped = await asyncio.to_thread(shell, "preflight", "--no-permissions")
    assert skipped.code == 0
    assert "unknown" not in skipped.out
    other = await asyncio.to_thread(shell, "preflight", "notify")
    assert other.code == 0


async def test_what_another_worker_reaches_is_asked_there_and_not_here(shell: Shell, demo: DemoCluster) -> None:
    text = shell.config.read_text()
    shell.config.write_text(text.replace("{eu: {", "{home: {kubeconfig: none.yaml}, eu: {worker: true, "))
    several = await asyncio.to_thread(shell, "preflight", "kubernetes")
    assert "no default among several under kubernetes.clusters; needed by restart-cart (restart)" in several.out
    shell.config.write_text(shell.config.read_text().replace("{clusters", "{default: home, clusters"))
    here = await asyncio.to_thread(shell, "preflight", "--json", "kubernetes")
    assert {one["target"] for one in here.json["permissions"]} == {"home"}
    assert {one["state"] for one in here.json["permissions"]} == {"unknown"}
    shell.config.write_text(shell.config.read_text().replace("default: home", "default: eu"))
    there = await asyncio.to_thread(shell, "preflight", "--json", "--for", "cluster:eu", "-n", "shop")
    assert {(one["target"], one["state"]) for one in there.json["permissions"]} == {("eu", "missing")}
    only = await asyncio.to_thread(shell, "preflight", "--json", "kubernetes.clusters.eu")
    assert only.json["permissions"] == []
    assert demo.url


def test_a_playbook_that_is_wrong_has_needs_that_nobody_knows(shell: Shell) -> None:
    (shell.config.parent / "playbooks" / "wrong.yaml").write_text("kind: Playbook\n")
    answer = shell("preflight", "--json")
    assert answer.code == 1
    assert "wrong.yaml" in answer.json["problems"][0]
    assert "what the playbooks need is not known" in answer.err


def test_one_that_is_wrong_does_not_keep_the_needs_of_others_that_are_named(shell: Shell) -> None:
    wrong = shell.config.parent / "playbooks" / "wrong.yaml"
    wrong.write_text("kind: Playbook\n")
    wrong.with_name("restart.yaml").write_text(RESTART)
    assert "restart-cart" in shell("permissions", "restart-cart").out
    for arguments in ([], [str(wrong)], ["restart-cart", str(wrong)], ["restart-car"]):
        answer = shell("permissions", *arguments)
        assert (answer.code, answer.out) == (2, "")
        assert "wrong.yaml" in answer.err


def test_playbooks_that_need_nothing_ask_nobody(shell: Shell) -> None:
    answer = shell("preflight")
    assert (answer.code, answer.out) == (0, "halon.yaml names no credentials here\n")


TELLING = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: tell, title: Tell, owner: team-a}
inputs:
  security: {default: security}
  other: {default: "${{ alert == null ? '' : alert.labels.team }}"}
steps:
  - id: first
    uses: notify.send
    with: {to: "${{ inputs.security }}", title: x}
  - id: open
    uses: notify.send
    with: {to: "${{ inputs.other }}", title: x}
on_failure:
  - id: page
    uses: notify.page
    with: {to: "${{ metadata.owner }}", summary: x}
"""


def test_a_channel_that_playbooks_tell_and_nobody_named_is_missing(shell: Shell) -> None:
    (shell.config.parent / "playbooks" / "tell.yaml").write_text(TELLING)
    answer = shell("preflight", "notify", "--json")
    assert answer.code == 1
    assert [one["setting"] for one in answer.json["channels"]] == ["notify.channels.security", "notify.channels.team-a"]
    assert "tell (on_failure.page)" in answer.json["channels"][1]["problems"][0]
    assert shell("preflight", "kubernetes", "--json").json["channels"] == []
    shell.config.write_text("notify: {channels: {security: [{env: WHERE}], team-a: [{env: WHERE}]}}")
    assert shell("preflight", "notify", "--json").json["channels"] == []
