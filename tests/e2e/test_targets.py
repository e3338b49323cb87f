"""Each cluster is reached by its own worker; one that is not there refuses the run, and is told."""

from pathlib import Path

import pytest
from target_site import halon, opened

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome


@pytest.mark.timeout(400)
async def test_each_cluster_is_reached_by_its_own_worker_and_one_that_is_not_there_refuses(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.start_worker("eu-1")
        done = await site.scale("eu-1")
        assert done.outcome is Outcome.REMEDIATED, done
        assert (site.replicas("eu-1"), site.replicas("eu-2")) == (3, 2)
        attempted = [one for one in await site.records(done.incident) if one.kind is AuditKind.ATTEMPTED]
        assert [one.data["worker"] for one in attempted] == ["cluster:eu-1"]

        refused = await site.scale("eu-2")
        assert refused.outcome is Outcome.REFUSED, refused
        assert "no worker for cluster eu-2" in refused.reason
        assert "`halon worker --for cluster:eu-2`" in refused.reason
        assert site.replicas("eu-2") == 2
        code, report = await halon(site.engine, "workers", "--json")
        found = {one["target"]: bool(one["pollers"]) for one in report["workers"]}
        assert (code, report["ok"]) == (1, False)
        assert found == {"central": True, "cluster:eu-1": True, "cluster:eu-2": False}
        code, report = await halon(site.engine, "preflight", "kubernetes", "--json")
        assert (code, {one["setting"]: one["state"] for one in report["workers"]}) == (
            1,
            {"kubernetes.clusters.eu-1.worker": "ok", "kubernetes.clusters.eu-2.worker": "missing"},
        )

        await site.start_worker("eu-2")
        done = await site.scale("eu-2")
        assert (done.outcome, site.replicas("eu-2")) == (Outcome.REMEDIATED, 3), done
