"""The three that are asked: the Kubernetes API server, the sandbox's control interface, and the operator's process. Each
connection is used again and again, since a new kubectl for each question would take longer than what is measured.
"""

import base64
import json
import pathlib
import ssl
import threading
import time

import urllib3
import yaml

from figures import moment

GROUP = "/apis/mlops-operator.io/v1alpha1"
# So many requests go to the API server at once.
AT_ONCE = 16
PAGE = 500
# For so long one watch is kept open; the next goes on where it ended.
WATCH = 240


class Failed(Exception):
    """What ends a row: a sentence."""


class Expired(Exception):
    """The API server does not remember any more what a watch is to go on from."""


class Cluster:
    """The API server, as its administrator."""

    def __init__(self, kubeconfig):
        config = yaml.safe_load(pathlib.Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        # The API server signs its certificate itself, without the extensions that newer Pythons insist on.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        patience = urllib3.Retry(total=8, backoff_factor=0.2, status_forcelist=[429, 503, 504], allowed_methods=None)
        self.pool = urllib3.PoolManager(maxsize=AT_ONCE + 4, ssl_context=context, retries=patience)
        self.server, self.headers = cluster["server"], {"Authorization": f"Bearer {user['token']}"}

    def ask(self, method, path, body=None, content_type="application/json"):
        """One request, which must succeed; gives the answer."""
        data = None if body is None else json.dumps(body)
        headers = self.headers | {"Content-Type": content_type}
        answer = self.pool.request(method, self.server + path, body=data, headers=headers, timeout=60)
        if answer.status >= 300:
            raise Failed(f"{method} {path}: {answer.status} {answer.data[:500].decode(errors='replace')}")
        return answer.json()

    def apply(self, manifest):
        """Server-side apply."""
        path = place(manifest["apiVersion"], manifest["kind"], manifest["metadata"])
        self.ask("PATCH", f"{path}?fieldManager=bench&force=true", manifest, "application/apply-patch+yaml")

    def annotate(self, plural, namespace, name, annotations):
        """Adds annotations to a project."""
        patch = {"metadata": {"annotations": annotations}}
        self.ask("PATCH", f"{GROUP}/namespaces/{namespace}/{plural}/{name}", patch, "application/merge-patch+json")

    def list(self, plural):
        """All objects of a kind, and the version that a watch goes on from; page by page."""
        found, token = [], ""
        while True:
            page = self.ask("GET", f"{GROUP}/{plural}?limit={PAGE}&continue={token}")
            found += page["items"]
            token = page["metadata"].get("continue")
            if not token:
                return found, page["metadata"]["resourceVersion"]

    def get(self, plural, namespace, name):
        """One object."""
        return self.ask("GET", f"{GROUP}/namespaces/{namespace}/{plural}/{name}")

    def watch(self, plural, version, until):
        """Every event of a kind after that version, until a moment of the monotonic clock."""
        while (left := until - time.monotonic()) > 0:
            seconds = max(1, min(WATCH, round(left)))
            query = f"watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}"
            timeout = urllib3.Timeout(connect=10, read=seconds + 30)
            url = f"{self.server}{GROUP}/{plural}?{query}"
            answer = self.pool.request("GET", url, headers=self.headers, timeout=timeout, preload_content=False)
            try:
                for text in answer:
                    event = json.loads(text)
                    if event["type"] == "ERROR":
                        raise Expired(event["object"].get("message", ""))
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]
            except urllib3.exceptions.HTTPError:
                continue
            finally:
                answer.close()


class Readiness:
    """Which objects of a kind are Ready as they are written now, followed by a watch in a thread of its own."""

    def __init__(self, cluster, plural):
        self.cluster, self.plural = cluster, plural
        self.states, self.broken = {}, None
        self.lock = threading.Lock()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        """Lists, then watches; begins anew where the API server has forgotten where the watch was."""
        try:
            while True:
                found, version = self.cluster.list(self.plural)
                for each in found:
                    self.note(each)
                try:
                    for kind, each in self.cluster.watch(self.plural, version, time.monotonic() + 10**6):
                        self.note(each, gone=kind == "DELETED")
                except Expired:
                    continue
        except Exception as error:  # Whoever waits must hear of it, whatever it is.
            self.broken = error

    def note(self, each, gone=False):
        """Writes down how an object stands."""
        key = (each["metadata"].get("namespace", ""), each["metadata"]["name"])
        with self.lock:
            if gone:
                self.states.pop(key, None)
            else:
                self.states[key] = is_ready(each)

    def ready(self):
        """How many are Ready."""
        if self.broken:
            raise Failed(f"the watch of {self.plural} broke: {self.broken!r}")
        with self.lock:
            return sum(self.states.values())


class Sandbox:
    """The sandbox, by its control interface, which counts none of these requests."""

    def __init__(self, endpoint):
        self.endpoint, self.pool = endpoint, urllib3.PoolManager()

    def ask(self, method, path, body=None):
        """What it answers, as text."""
        data = None if body is None else json.dumps(body)
        answer = self.pool.request(method, f"{self.endpoint}/_sandbox/{path}", body=data, timeout=60)
        if answer.status != 200:
            raise Failed(f"the sandbox answered {method} {path} with {answer.status}: {answer.data.decode()}")
        return answer.data.decode()

    def now(self):
        """How many requests there were so far, and the time by the sandbox's clock, in seconds since 1970."""
        told = json.loads(self.ask("GET", "requests"))
        return told["requests"], moment(told["now"])

    def requests(self):
        """How many requests there were so far."""
        return self.now()[0]

    def journal(self, since):
        """The requests after that number."""
        return [json.loads(text) for text in self.ask("GET", f"journal?since={since}").splitlines()]


def resident(process):
    """MiB of memory that a process holds; fails where it has ended."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        status = ""
    lines = dict(text.split(":", 1) for text in status.splitlines())
    if "VmRSS" not in lines:
        raise Failed("the operator ended by itself")
    return int(lines["VmRSS"].split()[0]) / 1024


def place(version, kind, metadata):
    """The path of an object."""
    plural = {"Namespace": "namespaces", "MlopsPlatform": "mlopsplatforms", "MlopsProject": "mlopsprojects"}[kind]
    base = "/api/v1" if version == "v1" else f"/apis/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{base}{namespace}/{plural}/{metadata['name']}"


def is_ready(each):
    """Whether an object is Ready as it is written now."""
    status = each.get("status", {})
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", []))
    return ready and status.get("observedGeneration") == each["metadata"]["generation"]
