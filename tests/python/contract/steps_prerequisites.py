"""The walkthrough's steps at what everything else stands on: STS and IAM, S3, CodeConnections, Secrets Manager."""

import json

from expect import eventually, refused

REGION, ACCOUNT = "eu-west-1", "111122223333"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "cloudformation.amazonaws.com", "codebuild.amazonaws.com", "servicecatalog.amazonaws.com"]}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"},
    ],
}  # fmt: skip
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TAGS = [{"Key": "team", "Value": "ml"}]


def identities(aws):
    """STS and IAM; gives the ARN of a role."""
    sts, iam = aws.client("sts"), aws.client("iam")
    sts.get_caller_identity()
    refused("NoSuchEntity", iam.get_role, RoleName="example")
    arn = iam.create_role(RoleName="example", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=TAGS, Description="d")["Role"]["Arn"]
    refused("EntityAlreadyExists", iam.create_role, RoleName="example", AssumeRolePolicyDocument=json.dumps(TRUST))
    refused("MalformedPolicyDocument", iam.create_role, RoleName="other", AssumeRolePolicyDocument="{")
    eventually(lambda: iam.get_role(RoleName="example"))
    iam.list_roles()
    iam.update_role(RoleName="example", Description="e", MaxSessionDuration=7200)
    iam.update_assume_role_policy(RoleName="example", PolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="example", PolicyName="all", PolicyDocument=json.dumps(ALLOW))
    iam.get_role_policy(RoleName="example", PolicyName="all")
    refused("NoSuchEntity", iam.get_role_policy, RoleName="example", PolicyName="none")
    iam.list_role_policies(RoleName="example")
    iam.put_role_policy(RoleName="example", PolicyName="more", PolicyDocument=json.dumps(ALLOW))
    iam.delete_role_policy(RoleName="example", PolicyName="more")
    iam.attach_role_policy(RoleName="example", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.list_attached_role_policies(RoleName="example")
    refused("DeleteConflict", iam.delete_role, RoleName="example")
    iam.detach_role_policy(RoleName="example", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.tag_role(RoleName="example", Tags=[{"Key": "a", "Value": ""}])
    iam.list_role_tags(RoleName="example")
    iam.untag_role(RoleName="example", TagKeys=["a"])
    iam.list_instance_profiles_for_role(RoleName="example")
    eventually(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="example", DurationSeconds=900))
    refused("AccessDenied", sts.assume_role, RoleArn=arn.replace("example", "none"), RoleSessionName="example")
    return arn


def buckets(aws):
    """S3."""
    s3 = aws.client("s3")
    place = {"LocationConstraint": REGION}
    refused("404", s3.head_bucket, Bucket="example")
    refused("InvalidBucketName", s3.create_bucket, Bucket="Example", CreateBucketConfiguration=place)
    s3.create_bucket(Bucket="example", CreateBucketConfiguration=place)
    refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket="example", CreateBucketConfiguration=place)
    eventually(lambda: s3.head_bucket(Bucket="example"))
    s3.list_buckets()
    s3.get_bucket_location(Bucket="example")
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket="example")
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket="example")
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket="example")
    s3.put_bucket_tagging(Bucket="example", Tagging={"TagSet": TAGS})
    s3.put_bucket_versioning(Bucket="example", VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket="example", ServerSideEncryptionConfiguration={"Rules": [rule]})
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket="example", PublicAccessBlockConfiguration=block)
    s3.put_bucket_ownership_controls(Bucket="example", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::example/*"}
    s3.put_bucket_policy(Bucket="example", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    expiry = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket="example", LifecycleConfiguration={"Rules": [expiry]})
    for read in (
        s3.get_bucket_tagging, s3.get_bucket_versioning, s3.get_bucket_encryption, s3.get_public_access_block,
        s3.get_bucket_ownership_controls, s3.get_bucket_policy, s3.get_bucket_lifecycle_configuration,
    ):  # fmt: skip
        eventually(lambda: read(Bucket="example"))
    objects(s3)
    for delete in (
        s3.delete_bucket_tagging, s3.delete_bucket_encryption, s3.delete_public_access_block,
        s3.delete_bucket_ownership_controls, s3.delete_bucket_policy, s3.delete_bucket_lifecycle,
    ):  # fmt: skip
        delete(Bucket="example")
    s3.delete_bucket(Bucket="example")


def objects(s3):
    """S3's objects, in the bucket `example`."""
    put = s3.put_object(Bucket="example", Key="a/b c", Body=b"one", Metadata={"sha": "1"}, ContentType="text/plain", Tagging="x=y")
    s3.put_object(Bucket="example", Key="a/b c", Body=b"two")
    eventually(lambda: s3.get_object(Bucket="example", Key="a/b c", VersionId=put["VersionId"]))
    s3.get_object(Bucket="example", Key="a/b c", Range="bytes=0-1")
    s3.head_object(Bucket="example", Key="a/b c")
    refused("NoSuchKey", s3.get_object, Bucket="example", Key="none")
    refused("404", s3.head_object, Bucket="example", Key="none")
    refused("NoSuchBucket", s3.get_object, Bucket="no-such-example", Key="none")
    s3.put_object_tagging(Bucket="example", Key="a/b c", Tagging={"TagSet": TAGS})
    s3.get_object_tagging(Bucket="example", Key="a/b c")
    s3.delete_object_tagging(Bucket="example", Key="a/b c")
    s3.list_objects_v2(Bucket="example", Prefix="a/", MaxKeys=10, Delimiter="/")
    s3.list_objects_v2(Bucket="example")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="example")
    s3.delete_object(Bucket="example", Key="a/b c")
    versions = s3.list_object_versions(Bucket="example")
    found = versions.get("Versions", []) + versions.get("DeleteMarkers", [])
    s3.delete_objects(Bucket="example", Delete={"Objects": [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]})


def connections(aws):
    """CodeConnections, under both of its names."""
    for service in ("codeconnections", "codestar-connections"):
        git = aws.client(service)
        arn = git.create_connection(ProviderType="GitHub", ConnectionName=f"example-{service[4:8]}", Tags=TAGS)["ConnectionArn"]
        eventually(lambda: git.get_connection(ConnectionArn=arn))
        git.list_connections()
        git.tag_resource(ResourceArn=arn, Tags=TAGS)
        git.list_tags_for_resource(ResourceArn=arn)
        git.untag_resource(ResourceArn=arn, TagKeys=["team"])
        git.delete_connection(ConnectionArn=arn)
        refused("ResourceNotFoundException", git.get_connection, ConnectionArn=arn[:-4] + "0000")


def secrets(aws):
    """Secrets Manager."""
    secrets = aws.client("secretsmanager")
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="example")
    secrets.create_secret(Name="example", SecretString="one", Tags=TAGS, Description="d")
    refused("ResourceExistsException", secrets.create_secret, Name="example", SecretString="one")
    eventually(lambda: secrets.get_secret_value(SecretId="example"))
    secrets.describe_secret(SecretId="example")
    secrets.put_secret_value(SecretId="example", SecretString="two")
    secrets.update_secret(SecretId="example", SecretString="three", Description="e")
    secrets.list_secrets()
    secrets.tag_resource(SecretId="example", Tags=TAGS)
    secrets.untag_resource(SecretId="example", TagKeys=["team"])
    secrets.get_random_password(PasswordLength=20)
    secrets.delete_secret(SecretId="example", RecoveryWindowInDays=7)
    refused("InvalidRequestException", secrets.get_secret_value, SecretId="example")
    secrets.restore_secret(SecretId="example")
    secrets.delete_secret(SecretId="example", ForceDeleteWithoutRecovery=True)
