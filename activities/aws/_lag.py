"""How far a replica is behind, as CloudWatch knows it. No measurement is not a lag of nothing."""

from datetime import timedelta

from activities.aws._account import account_of
from activities.aws._answers import finite, listed
from halon.kit.action import Permission
from halon.kit.env import Env

READ_METRICS = Permission("aws", ("cloudwatch:GetMetricStatistics",), "*", "to see how far it is behind")
WINDOW = timedelta(minutes=5)
"""Measurements older than this say nothing about now."""
_PERIOD = 60
_METRICS = {"aurora": ("AuroraReplicaLag", 0.001), "other": ("ReplicaLag", 1.0)}
"""The metric, and what one of its units is in seconds."""
_NOT_REPLICATING = -1


async def lag_of(env: Env, place: tuple[str, str], instance: str, engine: str) -> timedelta | None:
    """Give the lag by the newest measurement, None when there is none or replication does not run.

    Args:
        env: where AWS is reached.
        place: account and region.
        instance: the replica.
        engine: its engine, because Aurora measures another metric.
    """
    account, region = place
    metric, unit = _METRICS["aurora" if engine.startswith("aurora") else "other"]
    now = env.now()
    answer = await account_of(env, account).call(
        "cloudwatch",
        "get_metric_statistics",
        region=region,
        Namespace="AWS/RDS",
        MetricName=metric,
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": instance}],
        StartTime=now - WINDOW,
        EndTime=now,
        Period=_PERIOD,
        Statistics=["Maximum"],
    )
    points = sorted(listed(answer, "Datapoints"), key=lambda one: str(one["Timestamp"]))
    newest = finite(points[-1].get("Maximum")) if points else None
    return None if newest is None or newest <= _NOT_REPLICATING else timedelta(seconds=newest * unit)
