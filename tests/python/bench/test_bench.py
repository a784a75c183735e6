"""What `tests/cluster/bench` counts with, without what it measures: rows of what was reached and what was not, first calls in a
journal, manifests, and the proxies of which one falls silent.
"""

import contextlib
import json
import pathlib
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

BENCH = pathlib.Path(__file__).resolve().parents[2] / "cluster/bench"
sys.path.insert(0, str(BENCH))

import figures  # noqa: E402
import manifests  # noqa: E402


def entry(second, uri="/", **members):
    """An entry of the sandbox's journal."""
    at = f"2026-11-29T15:00:{second:012.9f}Z"
    return {"at": at, "uri": uri, "body": "", "input": None, "transport": "aws", "reply": None} | members


class Figures(unittest.TestCase):
    """What is printed."""

    def test_percentiles_are_values_that_were_measured(self):
        rows = [([3], 50, 3), ([3], 99, 3), (range(1, 21), 50, 10), (range(1, 21), 99, 20), (range(1, 201), 99, 198)]
        for values, part, wanted in rows:
            self.assertEqual(figures.percentile(values, part), wanted)

    def test_the_first_call_is_one_that_names_the_project(self):
        journal = [
            entry(1, "/job/ml/api/json", reply={"body": "project-00007"}),
            entry(2, "/job/ml/job/project-00070/"),
            entry(3.25, input={"ProjectName": "project-00007"}),
            entry(4, body="project-00007"),
        ]
        self.assertEqual(figures.first_call(journal, "project-00007"), figures.moment("2026-11-29T15:00:03.250Z"))
        self.assertIsNone(figures.first_call(journal, "project-00008"))
        self.assertEqual(figures.by_side([*journal, entry(5, transport="jenkins")]), [4, 1])

    def test_touches_that_did_not_come_are_said(self):
        rows = [
            ([], "-"),
            ([None], "none came"),
            ([0.1, 0.3], "0.10 s, 0.30 s"),
            ([0.1, None, 0.3], "0.10 s, 0.30 s; 1 of 3 did not come"),
        ]
        for touches, wanted in rows:
            self.assertEqual(figures.touched(touches), wanted)

    def test_a_row_tells_how_far_a_fleet_came(self):
        whole = {
            "projects": 100, "platforms": 2, "ready": 61.04, "called": 5600, "changed": [0.1], "new": [0.2], "restarted": 0,
            "memory": {"alone": 20, "together": 30, "restarted": 25}, "idle": {"seconds": 120, "calls": 7, "writes": 0},
        }  # fmt: skip
        wanted = "| 100 | 2 | 61.0 s | 56 | 7 in 120 s | 0 | 0.10 s, 0.10 s | 0.20 s, 0.20 s | 20.0 MiB, 30.0 MiB, 25.0 MiB | 0 |"
        self.assertEqual(figures.fleet(whole), wanted)
        self.assertTrue(figures.complete(whole))
        part = {
            "projects": 100, "platforms": 2, "unready": "99 of 100 projects after 60 s", "called": 5, "memory": {"alone": 20},
        }  # fmt: skip
        self.assertEqual(figures.fleet(part), "| 100 | 2 | 99 of 100 projects after 60 s | 5 in all | - | - | - | - | 20.0 MiB, -, - | - |")
        self.assertFalse(figures.complete(part))
        self.assertFalse(figures.complete(whole | {"new": [None]}))

    def test_rows_have_as_many_cells_as_their_heads(self):
        silent = {"projects": 100, "platforms": 10, "changed": [0.1, 0.2], "silent": [0.2, 0.5]}
        self.assertTrue(figures.silent(silent).endswith("| 2.0, 2.5 |"))
        rows = [
            ("fleet", figures.fleet({"projects": 1, "platforms": 1, "unready": "0 of 1 platforms after 1 s", "memory": {}})),
            ("silent", figures.silent(silent)),
            ("silent", figures.silent({"projects": 1, "platforms": 1, "unready": "none"})),
            ("beside", figures.beside("the operator", [5, 100, 20], [1, 30, 10])),
        ]
        for table, row in rows:
            head, ruler = figures.head(table).splitlines()
            self.assertEqual({row.count("|"), ruler.count("|")}, {head.count("|")}, table)


class Manifests(unittest.TestCase):
    """What is applied."""

    def test_each_platform_has_a_place_of_its_own(self):
        first, second = (manifests.platform(number, "http://127.0.0.1:1")["spec"] for number in (0, 1))
        for part in (("aws", "region"), ("jenkins", "folder"), ("namespaces", "names"), ("git", "connectionArn")):
            self.assertNotEqual(first[part[0]][part[1]], second[part[0]][part[1]], part)
        self.assertIn(first["aws"]["region"], first["git"]["connectionArn"])

    def test_a_project_stands_on_its_platform_in_the_namespace_of_that(self):
        project = manifests.project("project-00001", 3)
        platform = manifests.platform(3, "http://127.0.0.1:1")
        self.assertEqual(project["spec"]["platformRef"]["name"], platform["metadata"]["name"])
        self.assertEqual([project["metadata"]["namespace"]], platform["spec"]["namespaces"]["names"])


class Answering(socketserver.StreamRequestHandler):
    """An HTTP server that answers each request of a connection."""

    def handle(self):
        while request := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" if request.startswith(b"GET") else b"")


@contextlib.contextmanager
def proxies(count):
    """The proxies' process and their ports."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as server, tempfile.TemporaryDirectory() as folder:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ready = pathlib.Path(folder) / "ports.json"
        command = [sys.executable, "-B", BENCH / "proxies.py", str(server.server_address[1]), str(count), ready]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 10
            while not ready.exists() and time.monotonic() < end:
                time.sleep(0.05)
            yield process, json.loads(ready.read_text())
        finally:
            process.terminate()
            process.wait(10)
            server.shutdown()


class Silence(unittest.TestCase):
    """The proxies."""

    def test_the_last_falls_silent_and_the_others_go_on(self):
        def ask(port):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as answer:
                return answer.read()

        with proxies(3) as (process, ports):
            self.assertEqual([ask(port) for port in ports], [b"ok"] * 3)
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            self.assertEqual([ask(port) for port in ports[:-1]], [b"ok"] * 2)
            # It takes the connection, and that is all.
            self.assertRaises(TimeoutError, ask, ports[-1])


if __name__ == "__main__":
    unittest.main()
