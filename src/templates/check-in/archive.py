"""The seed code as files: fetches the archive, proves that it is the one that was meant, unpacks it, and fills it in.

It stands alone because it handles what somebody else made: an archive is bounded in size, cannot write outside its
folder, and is never run.
"""

import hashlib
import http.client
import re
import resource
import stat
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib

from order import Refused, last_line, shown

ARCHIVE_BYTES = 50 * 1024 * 1024
UNPACKED_BYTES = 200 * 1024 * 1024
MOST_FILES = 10_000
PLACEHOLDERS = (
    "SAGEMAKER_PROJECT_NAME",
    "SAGEMAKER_PROJECT_ID",
    "SAGEMAKER_PROJECT_ARN",
    "SAGEMAKER_PIPELINE_ROLE_ARN",
    "AWS_REGION",
    "ARTIFACT_BUCKET",
    "MODEL_EXECUTION_ROLE_ARN",
    "SOURCE_MODEL_PACKAGE_GROUP_NAME",
)
PLACEHOLDER = re.compile(rb"@@@([A-Za-z0-9_]+)@@@")


class OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never to an address that anybody on the way could answer."""

    def redirect_request(self, request, *rest):
        address = rest[-1]
        if urllib.parse.urlsplit(address).scheme != "https":
            raise Refused("the address of the seed code redirects to one that is not https")
        return super().redirect_request(request, *rest)


def download(order, target):
    """Fetches the archive and checks what it is."""
    scheme = urllib.parse.urlsplit(order.archive).scheme
    if scheme not in ("s3", "https"):
        raise Refused(f"{shown(order.archive)} is neither an s3:// nor an https:// address")
    (download_s3 if scheme == "s3" else download_https)(order.archive, target)
    if target.stat().st_size > ARCHIVE_BYTES:
        raise Refused(f"{shown(order.archive)} has more than {ARCHIVE_BYTES >> 20} MiB, the most for seed code")
    found = hashlib.sha256(target.read_bytes()).hexdigest()
    if found != order.sha256.lower():
        raise Refused(
            f"{shown(order.archive)} has the SHA-256 {found}, not {order.sha256} as declared: it is not the archive "
            "that was meant; correct the archive or the SHA-256"
        )


def download_s3(address, target):
    bucket, _, key = address[len("s3://") :].partition("/")
    limit = (ARCHIVE_BYTES + 1, ARCHIVE_BYTES + 1)
    done = subprocess.run(
        ["aws", "s3api", "get-object", "--bucket", bucket, "--key", key, str(target)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    if done.returncode == 0 or (target.exists() and target.stat().st_size > ARCHIVE_BYTES):
        return
    said = done.stderr
    if "NoSuchKey" in said or "NoSuchBucket" in said or "(404)" in said:
        raise Refused(f"there is no {address}: upload the archive, or correct the address")
    if "AccessDenied" in said or "(403)" in said:
        # S3 says so of what does not exist to whoever may not list the bucket.
        raise Refused(
            f"the build's role may not read {address}, or it is not there: allow it s3:GetObject, or correct the address"
        )
    raise Refused(f"{address} cannot be read: {last_line(said)}")


def download_https(address, target):
    opener = urllib.request.build_opener(OnlyHttps)
    try:
        with opener.open(address, timeout=30) as reply, target.open("wb") as file:
            left = ARCHIVE_BYTES + 1
            while left > 0:
                block = reply.read(min(left, 1 << 20))
                if not block:
                    break
                file.write(block)
                left -= len(block)
    except urllib.error.HTTPError as error:
        raise Refused(f"{shown(address)} answers {error.code}: correct the address, or let the build read it") from None
    except OSError as error:
        raise Refused(f"{shown(address)} cannot be read: {getattr(error, 'reason', error)}") from None
    except http.client.HTTPException:
        raise Refused(f"{shown(address)} cannot be read: what answers there does not speak HTTP") from None


def unpack(archive, folder, origin):
    """Unpacks the archive: its files by name. Nothing in it may lead out of the folder."""
    files, left = {}, UNPACKED_BYTES
    try:
        with zipfile.ZipFile(archive) as entries:
            for entry in entries.infolist():
                if entry.is_dir():
                    continue
                name = checked(entry, origin)
                if len(files) == MOST_FILES:
                    raise Refused(f"{origin} has more than {MOST_FILES} files, the most for seed code")
                if name in files:
                    raise Refused(f"{origin} holds {name} twice")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with entries.open(entry) as source, target.open("wb") as file:
                    left -= file.write(source.read(left + 1))
                if left < 0:
                    raise Refused(f"{origin} has more than {UNPACKED_BYTES >> 20} MiB unpacked, the most for seed code")
                target.chmod(0o755 if entry.external_attr >> 16 & 0o111 else 0o644)
                files[name] = target
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Refused(f"{origin} cannot be unpacked as a zip archive: {error}") from None
    if not files:
        raise Refused(f"{origin} holds no file")
    return files


def checked(entry, origin):
    """The name of an entry, if it may be unpacked."""
    name = entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    parts = name.split("/")
    if "\\" in name or any(part in ("", ".", "..") for part in parts):
        raise Refused(f"{origin} has an entry that leads out of its folder: {name}")
    if kind not in (0, stat.S_IFREG):
        raise Refused(f"{origin} has an entry that is no plain file, such as a link: {name}")
    if any(part.casefold() == ".git" for part in parts):
        raise Refused(f"{origin} holds a Git repository of its own, at {name}: leave out .git")
    return name


def fill(files, variables):
    """Puts the project's values in place of the placeholders of all text files; none may be left."""
    values = {name.encode(): variables[name].encode() for name in PLACEHOLDERS if name in variables}
    left = [f"the name {name}" for name in files if PLACEHOLDER.search(name.encode())]
    for name, path in files.items():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        filled = PLACEHOLDER.sub(lambda mark: values.get(mark[1], mark[0]), content)
        left += [f"{mark[0].decode()} in {name}" for mark in PLACEHOLDER.finditer(content) if mark[1] not in values]
        if filled != content:
            path.write_bytes(filled)
    if left:
        raise Refused(f"the seed code has placeholders without a value: {', '.join(left[:5])}")
