"""The tour's stops at what everything else stands on: STS and IAM, S3, CodeConnections, Secrets Manager."""

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
    refused("NoSuchEntity", iam.get_role, RoleName="tour")
    arn = iam.create_role(RoleName="tour", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=TAGS, Description="d")["Role"]["Arn"]
    refused("EntityAlreadyExists", iam.create_role, RoleName="tour", AssumeRolePolicyDocument=json.dumps(TRUST))
    refused("MalformedPolicyDocument", iam.create_role, RoleName="other", AssumeRolePolicyDocument="{")
    eventually(lambda: iam.get_role(RoleName="tour"))
    iam.list_roles()
    iam.update_role(RoleName="tour", Description="e", MaxSessionDuration=7200)
    iam.update_assume_role_policy(RoleName="tour", PolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="tour", PolicyName="all", PolicyDocument=json.dumps(ALLOW))
    iam.get_role_policy(RoleName="tour", PolicyName="all")
    refused("NoSuchEntity", iam.get_role_policy, RoleName="tour", PolicyName="none")
    iam.list_role_policies(RoleName="tour")
    iam.put_role_policy(RoleName="tour", PolicyName="more", PolicyDocument=json.dumps(ALLOW))
    iam.delete_role_policy(RoleName="tour", PolicyName="more")
    iam.attach_role_policy(RoleName="tour", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.list_attached_role_policies(RoleName="tour")
    refused("DeleteConflict", iam.delete_role, RoleName="tour")
    iam.detach_role_policy(RoleName="tour", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.tag_role(RoleName="tour", Tags=[{"Key": "a", "Value": ""}])
    iam.list_role_tags(RoleName="tour")
    iam.untag_role(RoleName="tour", TagKeys=["a"])
    iam.list_instance_profiles_for_role(RoleName="tour")
    eventually(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="tour", DurationSeconds=900))
    refused("AccessDenied", sts.assume_role, RoleArn=arn.replace("tour", "none"), RoleSessionName="tour")
    return arn


def buckets(aws):
    """S3."""
    s3 = aws.client("s3")
    place = {"LocationConstraint": REGION}
    refused("404", s3.head_bucket, Bucket="tour")
    refused("InvalidBucketName", s3.create_bucket, Bucket="Tour", CreateBucketConfiguration=place)
    s3.create_bucket(Bucket="tour", CreateBucketConfiguration=place)
    refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket="tour", CreateBucketConfiguration=place)
    eventually(lambda: s3.head_bucket(Bucket="tour"))
    s3.list_buckets()
    s3.get_bucket_location(Bucket="tour")
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket="tour")
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket="tour")
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket="tour")
    s3.put_bucket_tagging(Bucket="tour", Tagging={"TagSet": TAGS})
    s3.put_bucket_versioning(Bucket="tour", VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket="tour", ServerSideEncryptionConfiguration={"Rules": [rule]})
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket="tour", PublicAccessBlockConfiguration=block)
    s3.put_bucket_ownership_controls(Bucket="tour", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::tour/*"}
    s3.put_bucket_policy(Bucket="tour", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    expiry = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket="tour", LifecycleConfiguration={"Rules": [expiry]})
    for read in (
        s3.get_bucket_tagging, s3.get_bucket_versioning, s3.get_bucket_encryption, s3.get_public_access_block,
        s3.get_bucket_ownership_controls, s3.get_bucket_policy, s3.get_bucket_lifecycle_configuration,
    ):  # fmt: skip
        eventually(lambda: read(Bucket="tour"))
    objects(s3)
    for delete in (
        s3.delete_bucket_tagging, s3.delete_bucket_encryption, s3.delete_public_access_block,
        s3.delete_bucket_ownership_controls, s3.delete_bucket_policy, s3.delete_bucket_lifecycle,
    ):  # fmt: skip
        delete(Bucket="tour")
    s3.delete_bucket(Bucket="tour")


def objects(s3):
    """S3's objects, in the bucket `tour`."""
    put = s3.put_object(Bucket="tour", Key="a/b c", Body=b"one", Metadata={"sha": "1"}, ContentType="text/plain", Tagging="x=y")
    s3.put_object(Bucket="tour", Key="a/b c", Body=b"two")
    eventually(lambda: s3.get_object(Bucket="tour", Key="a/b c", VersionId=put["VersionId"]))
    refused("NotImplemented", s3.get_object, Bucket="tour", Key="a/b c", Range="bytes=0-1")
    s3.head_object(Bucket="tour", Key="a/b c")
    refused("NoSuchKey", s3.get_object, Bucket="tour", Key="none")
    refused("404", s3.head_object, Bucket="tour", Key="none")
    refused("NoSuchBucket", s3.get_object, Bucket="no-such-tour", Key="none")
    s3.put_object_tagging(Bucket="tour", Key="a/b c", Tagging={"TagSet": TAGS})
    s3.get_object_tagging(Bucket="tour", Key="a/b c")
    s3.delete_object_tagging(Bucket="tour", Key="a/b c")
    s3.list_objects_v2(Bucket="tour", Prefix="a/", MaxKeys=10, Delimiter="/")
    s3.list_objects_v2(Bucket="tour")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="tour")
    s3.delete_object(Bucket="tour", Key="a/b c")
    versions = s3.list_object_versions(Bucket="tour")
    found = versions.get("Versions", []) + versions.get("DeleteMarkers", [])
    s3.delete_objects(Bucket="tour", Delete={"Objects": [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]})


def connections(aws):
    """CodeConnections, under both of its names."""
    for service in ("codeconnections", "codestar-connections"):
        git = aws.client(service)
        arn = git.create_connection(ProviderType="GitHub", ConnectionName=f"tour-{service[4:8]}", Tags=TAGS)["ConnectionArn"]
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
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="tour")
    secrets.create_secret(Name="tour", SecretString="one", Tags=TAGS, Description="d")
    refused("ResourceExistsException", secrets.create_secret, Name="tour", SecretString="one")
    eventually(lambda: secrets.get_secret_value(SecretId="tour"))
    secrets.describe_secret(SecretId="tour")
    secrets.put_secret_value(SecretId="tour", SecretString="two")
    secrets.update_secret(SecretId="tour", SecretString="three", Description="e")
    secrets.list_secrets()
    secrets.tag_resource(SecretId="tour", Tags=TAGS)
    secrets.untag_resource(SecretId="tour", TagKeys=["team"])
    secrets.get_random_password(PasswordLength=20)
    secrets.delete_secret(SecretId="tour", RecoveryWindowInDays=7)
    refused("InvalidRequestException", secrets.get_secret_value, SecretId="tour")
    secrets.restore_secret(SecretId="tour")
    secrets.delete_secret(SecretId="tour", ForceDeleteWithoutRecovery=True)
