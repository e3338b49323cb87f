"""Databases and caches: what is there before a change, and what somebody else does to it."""

from datetime import UTC, datetime, timedelta

import layers_elasticache
import layers_rds
from emulator import Emulator
from operations import Given

from halon.contracts.base import JsonObject


def cluster(aws: Emulator) -> None:
    """An Aurora cluster `orders` of a writer and two readers."""
    ours = aws.admin("rds")
    ours.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="long-enough",
    )
    for number in range(3):
        ours.create_db_instance(
            DBInstanceIdentifier=f"orders-{number}",
            DBClusterIdentifier="orders",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )


def instance(aws: Emulator, name: str = "legacy", **more: object) -> None:
    """An instance with a standby."""
    aws.admin("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.m5.large",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="root",
        MasterUserPassword="long-enough",
        **{"MultiAZ": True, **more},
    )


def replica(aws: Emulator) -> None:
    """`reports` follows `legacy`, and is two seconds behind."""
    instance(aws, MultiAZ=False)
    aws.admin("rds").create_db_instance_read_replica(
        DBInstanceIdentifier="reports", SourceDBInstanceIdentifier="legacy"
    )
    measured(aws, 2)


def measured(aws: Emulator, lag: float, name: str = "reports", metric: str = "ReplicaLag") -> None:
    """CloudWatch knows how far a replica is behind."""
    point = {
        "MetricName": metric,
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": name}],
        "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
        "Value": lag,
    }
    aws.admin("cloudwatch").put_metric_data(Namespace="AWS/RDS", MetricData=[point])


def _failed_over(aws: Emulator) -> None:
    aws.admin("rds").failover_db_cluster(DBClusterIdentifier="orders", TargetDBInstanceIdentifier="orders-2")


def _taken(aws: Emulator) -> None:
    instance(aws, "other")
    aws.admin("rds").create_db_snapshot(DBInstanceIdentifier="other", DBSnapshotIdentifier="before-failover")


def _follows_another(aws: Emulator) -> None:
    instance(aws, "other")
    ours = aws.admin("rds")
    ours.delete_db_instance(DBInstanceIdentifier="reports", SkipFinalSnapshot=True)
    ours.create_db_instance_read_replica(DBInstanceIdentifier="reports", SourceDBInstanceIdentifier="other")


def _replicas_lost(aws: Emulator) -> None:
    aws.state["cache"]["replicas"] = [0, 0]


REPLICA: JsonObject = {"instance": "reports"}
WORLDS: dict[str, Given] = {
    "fail_over_database": Given({"cluster": "orders"}, cluster, _failed_over, layers_rds.LAYERS),
    "snapshot_database": Given(
        {"instance": "legacy", "snapshot": "before-failover"}, instance, _taken, layers_rds.LAYERS, loses=1
    ),
    "promote_replica": Given(REPLICA, replica, _follows_another, layers_rds.LAYERS),
    "scale_cache": Given(
        {"group": "sessions", "replicas": 3}, layers_elasticache.cache, _replicas_lost, layers_elasticache.LAYERS
    ),
}
