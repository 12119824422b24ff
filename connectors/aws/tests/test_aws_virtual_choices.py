"""Choices of inputs that name a resource: found by rule among the list operations of the service,
and listed by the provider.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jackfield import Jackfield
from jackfield.kernel.errors import UnknownAction
from jackfield_aws.virtual.choices import choices_of
from jackfield_aws.virtual.operations import describe
from moto_rig import Rig, moto_rig, offer


@pytest.fixture(name="rig", scope="module")
def _rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with moto_rig(tmp_path_factory.mktemp("home")) as rig:
        yield rig


@pytest.fixture(name="jackfield")
def _jackfield(rig: Rig, tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime with a named connection, since choices are those of one, whose workspace may not
    list queues.
    """
    connection = {"type": "aws/apiKeySecret", "values": rig.connection["values"]}
    offers = offer(tmp_path, {"default": {"services": ["s3", "ec2", "sqs.sendMessage"]}})
    with Jackfield(
        connections=[{"moto": connection}], database_url="none", environment=offers
    ) as jackfield:
        yield jackfield


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ("ec2/ImageId", "DescribeImages Images ImageId"),
        ("ec2/SubnetId", "DescribeSubnets Subnets SubnetId"),
        ("ec2/SecurityGroupIds", "DescribeSecurityGroups SecurityGroups GroupId"),
        ("ec2/KeyName", "DescribeKeyPairs KeyPairs KeyName"),
        ("ec2/InstanceIds", "DescribeInstances Reservations.Instances InstanceId"),
        ("s3/Bucket", "ListBuckets Buckets Name"),
        ("sqs/QueueUrl", "ListQueues QueueUrls None"),
        ("lambda/FunctionName", "ListFunctions Functions FunctionName"),
        ("dynamodb/TableName", "ListTables TableNames None"),
        ("sns/TopicArn", "ListTopics Topics TopicArn"),
        ("secretsmanager/SecretId", "ListSecrets SecretList Name"),
        ("stepfunctions/stateMachineArn", "ListStateMachines stateMachines stateMachineArn"),
        ("ecs/cluster", "ListClusters clusterArns None"),
        ("iam/RoleName", "ListRoles Roles RoleName"),
        ("cognito-idp/UserPoolId", "ListUserPools UserPools Id"),
        ("route53/HostedZoneId", "ListHostedZones HostedZones Id"),
        ("cloudfront/DistributionId", "ListDistributions DistributionList.Items Id"),
    ],
)
def test_m7_inputs_that_name_a_resource_have_choices(place: str, where: str) -> None:
    """M7: the list operation, the list in its answer and the member with the value are found by the
    names of the model.
    """
    found = choices_of(*place.split("/"))
    assert found is not None
    assert f"{found.operation} {'.'.join(found.path)} {found.value}" == where


def test_what_no_operation_lists_has_no_choices() -> None:
    """An object's key, a body and a free text have none; an enumeration has its values, and inputs
    are marked for forms.
    """
    assert [choices_of("s3", name) for name in ("Key", "Body", "ContentType")] == [None] * 3
    members = describe("ec2", "RunInstances").inputs["properties"]
    assert [members[name]["x-jackfield"]["options"] for name in ("ImageId", "SubnetId")] == [
        "ImageId",
        "SubnetId",
    ]
    assert "t3.micro" in members["InstanceType"]["x-jackfield"]["values"]
    assert "options" not in members["InstanceType"]["x-jackfield"]


def test_m7_the_provider_lists_the_choices(rig: Rig, jackfield: Jackfield) -> None:
    """M7: buckets and networks of the account come as choices, with a name where there is one; what
    may not be listed is not.
    """
    rig.output("s3/createBucket", Bucket="photos")
    vpc = rig.output("ec2/createVpc", CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    rig.output("ec2/createTags", Resources=[vpc], Tags=[{"Key": "Name", "Value": "shop"}])
    assert {"value": "photos", "label": "photos"} in jackfield.options(
        "aws.s3", "Bucket", connection="moto"
    )
    assert {"value": vpc, "label": f"shop ({vpc})"} in jackfield.options(
        "aws.ec2", "VpcId", connection="moto"
    )
    elsewhere = jackfield.options(
        "aws.ec2", "VpcId", connection="moto", inputs={"awsRegion": "eu-west-1"}
    )
    assert elsewhere
    assert vpc not in [choice["value"] for choice in elsewhere]
    with pytest.raises(UnknownAction, match="no option source 'Key'"):
        jackfield.options("aws.s3", "Key", connection="moto")
    with pytest.raises(UnknownAction, match="need the action 'listQueues', which is not offered"):
        jackfield.options("aws.sqs", "QueueUrl", connection="moto")
