"""An S3 bucket with versions as far as the model trigger's function uses one, by a clock that the test sets."""

import datetime
import email.utils
import hashlib
import io

from botocore.exceptions import ClientError


def refused(code, operation):
    return ClientError({"Error": {"Code": code, "Message": "refused"}}, operation)


class FakeS3:
    """Versions of each key, the newest last; a version without body is a delete marker."""

    def __init__(self, clock):
        self.clock, self.versions, self.count, self.calls = clock, {}, 0, []
        self.errors = {}  # by operation: what is raised instead of an answer
        self.onlooker = lambda operation, edge: None  # is told of each call before and after its effect

    def answer(self, operation, work, **told):
        self.calls.append((operation, told))
        self.onlooker(operation, "before")
        if operation in self.errors:
            raise self.errors[operation]
        answer = work()
        self.onlooker(operation, "after")
        stamp = email.utils.format_datetime(self.moment(), usegmt=True)
        return answer | {"ResponseMetadata": {"HTTPHeaders": {"date": stamp}}}

    def moment(self):
        return datetime.datetime.fromtimestamp(self.clock(), datetime.timezone.utc)

    def current(self, key):
        return next((one for one in self.versions.get(key, [])[-1:] if one["body"] is not None), None)

    def keys(self):
        return sorted(key for key in self.versions if self.current(key))

    def list_objects_v2(self, Bucket, Prefix):
        def work():
            found = [(key, self.current(key)) for key in self.keys() if key.startswith(Prefix)][:1000]
            contents = [{"Key": key, "ETag": one["tag"], "LastModified": one["modified"]} for key, one in found]
            return {"Contents": contents} if contents else {}

        return self.answer("ListObjectsV2", work, prefix=Prefix)

    def get_object(self, Bucket, Key):
        def work():
            if not self.current(Key):
                raise refused("NoSuchKey", "GetObject")
            return {"Body": io.BytesIO(self.current(Key)["body"])}

        return self.answer("GetObject", work, key=Key)

    def put_object(self, Bucket, Key, Body, ContentType="", IfNoneMatch=None, IfMatch=None):
        def work():
            there = self.current(Key)
            if (IfNoneMatch == "*" and there) or (IfMatch and (there or {}).get("tag") != IfMatch):
                raise refused("PreconditionFailed", "PutObject")
            self.count += 1
            tag = f'"{hashlib.md5(Body).hexdigest()}"'
            version = {"id": str(self.count), "body": Body, "tag": tag, "modified": self.moment()}
            self.versions.setdefault(Key, []).append(version)
            return {"ETag": tag}

        return self.answer("PutObject", work, key=Key)

    def list_object_versions(self, Bucket, Prefix, MaxKeys):
        def work():
            each = ((key, one) for key in sorted(self.versions) if key.startswith(Prefix) for one in self.versions[key])
            page = list(each)[:MaxKeys]
            told = {"Versions": [], "DeleteMarkers": []}
            for key, one in page:
                kind = "DeleteMarkers" if one["body"] is None else "Versions"
                told[kind].append({"Key": key, "VersionId": one["id"]})
            return told

        return self.answer("ListObjectVersions", work, prefix=Prefix)

    def delete_objects(self, Bucket, Delete):
        def work():
            for one in Delete["Objects"]:
                rest = [version for version in self.versions.get(one["Key"], []) if version["id"] != one["VersionId"]]
                self.versions[one["Key"]] = rest
                if not rest:
                    del self.versions[one["Key"]]
            return {}

        return self.answer("DeleteObjects", work, keys=[one["Key"] for one in Delete["Objects"]])
