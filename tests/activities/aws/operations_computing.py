"""Functions, services and groups: what is there before a change, and what somebody else does to it."""

import io
import zipfile

import layers_ecs
import layers_lambda
from emulator import Emulator
from operations import Given

FUNCTION = "checkout"
ALIAS = {"FunctionName": FUNCTION, "Name": "live"}


def _code(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", text)
    return packed.getvalue()


def function(aws: Emulator) -> None:
    """A function of two versions, the alias `live` on the newer."""
    role = aws.admin("iam").create_role(RoleName="checkout", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    ours = aws.admin("lambda")
    ours.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.12",
        Role=role,
        Handler="main.handle",
        Code={"ZipFile": _code("one")},
        Publish=True,
    )
    ours.update_function_code(FunctionName=FUNCTION, ZipFile=_code("two"), Publish=True)
    ours.create_alias(**ALIAS, FunctionVersion="2")


def _moved(aws: Emulator) -> None:
    routing = {"AdditionalVersionWeights": {"1": 0.3}}
    aws.admin("lambda").update_alias(**ALIAS, FunctionVersion="2", RoutingConfig=routing)


def _provisioned(aws: Emulator) -> None:
    aws.admin("lambda").put_provisioned_concurrency_config(
        FunctionName=FUNCTION, Qualifier="live", ProvisionedConcurrentExecutions=3
    )


def _reserved(aws: Emulator) -> None:
    aws.admin("lambda").put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=7)


def register(aws: Emulator, image: str) -> str:
    """A task definition of `cart`; gives its ARN."""
    container = {"name": "cart", "image": image, "memory": 128}
    made = aws.admin("ecs").register_task_definition(family="cart", containerDefinitions=[container])
    return str(made["taskDefinition"]["taskDefinitionArn"])


def service(aws: Emulator) -> None:
    """A service of two tasks that runs the third of three task definitions, of which the last two are the same."""
    for image in ("cart:1", "cart:2", "cart:2"):
        newest = register(aws, image)
    ours = aws.admin("ecs")
    ours.create_cluster(clusterName="web")
    ours.create_service(
        cluster="web",
        serviceName="cart",
        taskDefinition=newest,
        desiredCount=2,
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
    )


def _redeployed(aws: Emulator) -> None:
    aws.admin("ecs").update_service(cluster="web", service="cart", taskDefinition=register(aws, "cart:9"))


def _recounted(aws: Emulator) -> None:
    aws.admin("ecs").update_service(cluster="web", service="cart", desiredCount=9)


def group(aws: Emulator) -> None:
    """A group of two instances, one to four."""
    ec2, ours = aws.admin("ec2"), aws.admin("autoscaling")
    ours.create_launch_configuration(
        LaunchConfigurationName="web", ImageId=ec2.register_image(Name="web")["ImageId"], InstanceType="t3.micro"
    )
    ours.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=1,
        MaxSize=4,
        DesiredCapacity=2,
        AvailabilityZones=["eu-west-1a"],
    )
    ours.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["AZRebalance"])


def _resized(aws: Emulator) -> None:
    aws.admin("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", MinSize=2)


def _resumed(aws: Emulator) -> None:
    aws.admin("autoscaling").resume_processes(AutoScalingGroupName="web", ScalingProcesses=["AZRebalance"])


WORLDS: dict[str, Given] = {
    "set_provisioned_concurrency": Given(
        {"function": FUNCTION, "qualifier": "live", "concurrency": 5}, function, _provisioned, layers_lambda.LAYERS
    ),
    "set_reserved_concurrency": Given(
        {"function": FUNCTION, "concurrency": 0}, function, _reserved, layers_lambda.LAYERS
    ),
    "shift_alias": Given(
        {"function": FUNCTION, "alias": "live", "weight": 0.5}, function, _moved, layers_lambda.LAYERS
    ),
    "roll_back_service": Given({"cluster": "web", "service": "cart"}, service, _redeployed, layers_ecs.LAYERS),
    "set_desired_count": Given(
        {"cluster": "web", "service": "cart", "count": 4}, service, _recounted, layers_ecs.LAYERS
    ),
    "set_capacity": Given({"group": "web", "desired": 3, "min": 3}, group, _resized),
    "suspend_processes": Given({"group": "web", "processes": ["ReplaceUnhealthy", "AZRebalance"]}, group, _resumed),
}
