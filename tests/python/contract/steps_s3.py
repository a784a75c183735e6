"""The walkthrough's steps at S3's storage: conditions, lists of buckets, copies, ranges, uploads in parts, and files that
the AWS CLI and boto3's transfer manager carry."""

import os
import pathlib
import subprocess
import sys
import tempfile

from botocore.exceptions import ClientError

from expect import Wrong, eventually, refused
from steps_prerequisites import REGION

BUCKET = "example-storage"
PLACE = {"LocationConstraint": REGION}
OTHER = '"00000000000000000000000000000000"'
MEGABYTE = 1024 * 1024


def storage(aws):
    """All steps, in a bucket of their own."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=PLACE | {"Tags": [{"Key": "team", "Value": "ml"}]})
    eventually(lambda: s3.get_bucket_tagging(Bucket=BUCKET))
    listed(s3)
    locked(s3)
    conditions(s3)
    copies(s3)
    parts(s3)
    with tempfile.TemporaryDirectory() as folder:
        files(aws, s3, pathlib.Path(folder))
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        found = [{"Key": one["Key"]} for one in page["Contents"]]
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": found, "Quiet": True})
    s3.create_multipart_upload(Bucket=BUCKET, Key="never")
    s3.delete_bucket(Bucket=BUCKET)


def same(got, wanted, what):
    """Holds one value against another."""
    if got != wanted:
        raise Wrong(f"{what} must be {str(wanted)[:80]}, but is {str(got)[:80]}")


def listed(s3):
    """Buckets page by page."""
    pages = s3.get_paginator("list_buckets").paginate(Prefix="example-s", PaginationConfig={"PageSize": 1})
    same([one["Name"] for page in pages for one in page["Buckets"]], [BUCKET], "the buckets of all pages")
    s3.list_buckets(MaxBuckets=1, BucketRegion=REGION)


def locked(s3):
    """A bucket with object lock."""
    name = "example-locked"
    refused("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration, Bucket=BUCKET)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=PLACE, ObjectLockEnabledForBucket=True)
    eventually(lambda: s3.get_object_lock_configuration(Bucket=name))
    refused("InvalidBucketState", s3.put_bucket_versioning, Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    refused("NotImplemented", s3.put_object, Bucket=name, Key="a", Body=b"", ObjectLockLegalHoldStatus="ON")
    refused("NotImplemented", s3.get_object_legal_hold, Bucket=name, Key="a")
    refused("NotImplemented", s3.put_object_retention, Bucket=name, Key="a", Retention={"Mode": "GOVERNANCE"})
    s3.delete_bucket(Bucket=name)


def conditions(s3):
    """Conditions of reads, writes and deletions."""
    key = {"Bucket": BUCKET, "Key": "conditions"}
    refused("NoSuchKey", s3.put_object, **key, Body=b"1", IfMatch=OTHER)
    etag = s3.put_object(**key, Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", s3.put_object, **key, Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", s3.put_object, **key, Body=b"2", IfMatch=OTHER)
    s3.put_object(**key, Body=b"1", IfMatch=etag)
    refused("304", s3.get_object, **key, IfNoneMatch=etag)
    refused("304", s3.head_object, **key, IfNoneMatch=etag)
    refused("PreconditionFailed", s3.get_object, **key, IfMatch=OTHER)
    refused("412", s3.head_object, **key, IfMatch=OTHER)
    modified = s3.get_object(**key, IfMatch=etag)["LastModified"]
    refused("304", s3.get_object, **key, IfModifiedSince=modified)
    s3.get_object(**key, IfUnmodifiedSince=modified)
    refused("PreconditionFailed", s3.delete_object, **key, IfMatch=OTHER)
    s3.delete_object(**key, IfMatch=etag)
    s3.list_objects(Bucket=BUCKET)
    s3.list_objects_v2(Bucket=BUCKET, FetchOwner=True, MaxKeys=0)


def copies(s3):
    """Copies and ranges."""
    s3.put_object(Bucket=BUCKET, Key="from", Body=b"0123456789", Tagging="a=b", CacheControl="no-cache", ChecksumAlgorithm="SHA1")
    source = {"Bucket": BUCKET, "Key": "from"}
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource=source)
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource=source, MetadataDirective="REPLACE", TaggingDirective="REPLACE", Tagging="c=d")
    refused("InvalidRequest", s3.copy_object, Bucket=BUCKET, Key="from", CopySource=source)
    refused("PreconditionFailed", s3.copy_object, Bucket=BUCKET, Key="to", CopySource=source, CopySourceIfMatch=OTHER)
    refused("NoSuchKey", s3.copy_object, Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "none"})
    piece = s3.get_object(**source, Range="bytes=2-4")
    same((piece["Body"].read(), piece["ContentRange"]), (b"234", "bytes 2-4/10"), "the range")
    refused("InvalidRange", s3.get_object, **source, Range="bytes=10-")
    s3.head_object(**source, PartNumber=1, ChecksumMode="ENABLED")
    s3.get_object(**source, ChecksumMode="ENABLED")


def parts(s3):
    """An upload in parts, by hand."""
    key = {"Bucket": BUCKET, "Key": "parts"}
    begun = s3.create_multipart_upload(**key, ContentType="text/plain", ChecksumAlgorithm="CRC32")
    upload = key | {"UploadId": begun["UploadId"]}
    refused("NoSuchUpload", s3.list_parts, **key, UploadId="none")
    put = s3.upload_part(**upload, PartNumber=1, Body=b"1" * (5 * MEGABYTE), ChecksumAlgorithm="CRC32")
    copied = s3.upload_part_copy(**upload, PartNumber=2, CopySource={"Bucket": BUCKET, "Key": "from"}, CopySourceRange="bytes=1-3")
    named = [{"PartNumber": 1} | {name: put[name] for name in ("ETag", "ChecksumCRC32")}]
    named += [{"PartNumber": 2} | {name: copied["CopyPartResult"][name] for name in ("ETag", "ChecksumCRC32")}]
    s3.list_parts(**upload, MaxParts=1)
    s3.list_multipart_uploads(Bucket=BUCKET, Prefix="p")
    refused("InvalidPartOrder", s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": named[::-1]})
    refused("InvalidPart", s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": [named[0] | {"PartNumber": 3}]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": named}, IfNoneMatch="*")
    same(s3.get_object(**key, PartNumber=2)["Body"].read(), b"123", "the second part")
    begun = s3.create_multipart_upload(**key)
    upload = key | {"UploadId": begun["UploadId"]}
    small = [{"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=b"x")["ETag"]} for number in (1, 2)]
    refused("EntityTooSmall", s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": small})
    s3.abort_multipart_upload(**upload)


def files(aws, s3, folder):
    """A file of 20 MB up, across and down: with the AWS CLI, then with boto3's transfer manager."""
    content = b"".join(b"%015d\n" % number for number in range(20 * MEGABYTE // 16))
    up, down = folder / "up", folder / "down"
    up.write_bytes(content)
    place = f"s3://{BUCKET}"
    cli(aws, "cp", up, f"{place}/cli/up")
    cli(aws, "cp", f"{place}/cli/up", f"{place}/cli/across")
    cli(aws, "cp", f"{place}/cli/across", down)
    same(down.read_bytes() == content, True, "the file that the AWS CLI carried, whole")
    small = folder / "small"
    small.mkdir()
    (small / "one").write_text("1")
    (small / "two").write_text("2")
    cli(aws, "sync", small, f"{place}/small")
    cli(aws, "sync", f"{place}/small", folder / "back")
    same(sorted(path.read_text() for path in (folder / "back").iterdir()), ["1", "2"], "the folder that came back")
    s3.upload_file(str(up), BUCKET, "boto/up")
    s3.copy({"Bucket": BUCKET, "Key": "boto/up"}, BUCKET, "boto/across")
    down.unlink()
    s3.download_file(BUCKET, "boto/across", str(down))
    same(down.read_bytes() == content, True, "the file that boto3 carried, whole")
    try:
        s3.download_file(BUCKET, "boto/none", str(down))
    except ClientError as error:
        same(error.response["Error"]["Code"], "404", "what boto3 says of no file")


def cli(aws, *words):
    """A command of the AWS CLI beside this Python, on the sandbox."""
    command = [sys.executable, str(pathlib.Path(sys.executable).with_name("aws")), "s3", *map(str, words)]
    environment = os.environ | {
        "AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAWALKTHROUGH", "AWS_SECRET_ACCESS_KEY": "none", "AWS_CONFIG_FILE": os.devnull,
    }  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"aws s3 {' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
