"""The IAM action that a call needs: in most services its own name, with the exceptions that AWS documents.

Source: the Service Authorization Reference, and Amazon S3's table of operations and permissions.
"""

_PREFIXES = {
    "cloudwatch": "cloudwatch",
    "monitoring": "cloudwatch",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "emr": "elasticmapreduce",
    "s3control": "s3",
    "stepfunctions": "states",
}
"""Services whose name in boto3 is not the one in policies."""
_NAMES = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "DeletePublicAccessBlock"): "PutBucketPublicAccessBlock",
    ("s3", "GetBucketEncryption"): "GetEncryptionConfiguration",
    ("s3", "GetObjectLockConfiguration"): "GetBucketObjectLockConfiguration",
    ("s3", "GetPublicAccessBlock"): "GetBucketPublicAccessBlock",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "HeadObject"): "GetObject",
    ("s3", "ListBuckets"): "ListAllMyBuckets",
    ("s3", "ListObjects"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "ListObjectVersions"): "ListBucketVersions",
    ("s3", "PutPublicAccessBlock"): "PutBucketPublicAccessBlock",
    ("s3control", "DeletePublicAccessBlock"): "PutAccountPublicAccessBlock",
    ("s3control", "GetPublicAccessBlock"): "GetAccountPublicAccessBlock",
    ("s3control", "PutPublicAccessBlock"): "PutAccountPublicAccessBlock",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
}


def iam_action(service: str, operation: str) -> str:
    """Give the IAM action of an operation, such as `iam:UpdateAccessKey`.

    Args:
        service: boto3's name of the service.
        operation: the operation as AWS writes it, such as `UpdateAccessKey`.
    """
    return f"{_PREFIXES.get(service, service)}:{_NAMES.get((service, operation), operation)}"
