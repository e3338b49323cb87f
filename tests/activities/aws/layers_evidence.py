"""What moto does not do of copying objects in S3: a copy that is made only of the very object that was seen."""

from urllib.parse import parse_qs, unquote, urlsplit

from emulator import Answer, Call, Layer


def copy(call: Call) -> Answer:
    source = urlsplit(str(call.environ["HTTP_X_AMZ_COPY_SOURCE"]))
    bucket, _, key = unquote(source.path).lstrip("/").partition("/")
    version = parse_qs(source.query).get("versionId")
    which = {"VersionId": version[0]} if version else {}
    s3 = call.emulator.admin("s3")
    try:
        there = s3.head_object(Bucket=bucket, Key=key, **which)
    except s3.exceptions.ClientError:
        return call.error("NoSuchKey", "The specified key does not exist.", 404)
    wanted: str = call.environ.get("HTTP_X_AMZ_COPY_SOURCE_IF_MATCH", there["ETag"])
    if wanted.strip('"') != there["ETag"].strip('"'):
        return call.error("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
    call.environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = call.environ[
        "HTTP_X_AMZ_CHECKSUM_ALGORITHM"
    ]  # moto wants it so
    return call.forward()


LAYERS: dict[tuple[str, str], Layer] = {("s3", "CopyObject"): copy}
