"""Whether Application Auto Scaling sets a number, so that no action fights it."""

from activities.aws._account import account_of
from activities.aws._answers import inner, listed
from halon.kit.action import Permission, State
from halon.kit.env import Env

LOOK_FOR_SCALERS = Permission(
    "aws", ("application-autoscaling:DescribeScalableTargets",), "*", "to see who else sets the number"
)


class Scaler(State):
    """A scalable target: the range that Application Auto Scaling keeps a number in."""

    low: int
    high: int
    asleep: bool
    """True when people have suspended all of its scaling."""

    def objection(self, what: str) -> str:
        """Why changing the number would fight it; empty when it sleeps."""
        if self.asleep:
            return ""
        return (
            f"Application Auto Scaling sets {what} ({self.low} to {self.high}): "
            "change its range, or suspend its scaling first"
        )


async def scaler_of(env: Env, place: tuple[str, str], namespace: str, resource: str, dimension: str) -> Scaler | None:
    """Give the scalable target of a resource, None when there is none.

    Args:
        env: where AWS is reached.
        place: account and region.
        namespace: of the service, such as `ecs`.
        resource: such as `service/web/cart`.
        dimension: such as `ecs:service:DesiredCount`.
    """
    account, region = place
    found = await account_of(env, account).call(
        "application-autoscaling",
        "describe_scalable_targets",
        region=region,
        ServiceNamespace=namespace,
        ResourceIds=[resource],
        ScalableDimension=dimension,
    )
    for one in listed(found, "ScalableTargets"):
        off = inner(one, "SuspendedState")
        asleep = all(
            off.get(f"{name}Suspended") is True
            for name in ("DynamicScalingIn", "DynamicScalingOut", "ScheduledScaling")
        )
        return Scaler(low=int(one["MinCapacity"]), high=int(one["MaxCapacity"]), asleep=asleep)
    return None
