"""The check-in against real Git repositories: what it commits, what it leaves alone, and what it says of everything."""

import base64
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import urllib.parse

from harness import BASE, CHECK_IN, CONNECTION, ROOT, SECONDS, TLS, VALUES, Harness, Server, archive, responses

TITLE = "Add the seed code of SageMaker project taxi-fares"
FILLED = [name for name in VALUES if name != "AWS_PARTITION"]


class WhereItCommits(Harness):
    def test_an_empty_repository_gets_the_branch(self):
        self.repository()
        commit = self.succeeds().rpartition(" ")[2]
        self.assertEqual(self.git("rev-parse", "--short=7", "main").strip(), commit)
        self.assertEqual(self.answers[-1][2]["Data"]["Result"], f"seeded main with 2 files, commit {commit}")
        self.assertEqual(self.commits(), [f"MLOps seed code: {TITLE}"])
        self.assertEqual(self.tree(), ["README.md", "setup.py"])
        self.assertEqual(self.file("setup.py"), b"name = 'taxi-fares'\n")

    def test_a_branch_that_is_missing_is_made_and_holds_the_seed_code_alone(self):
        self.repository({"old.py": b"x"}, branch="master")
        self.assertIn("seeded release/1.0 with 2 files", self.succeeds(BRANCH="release/1.0"))
        self.assertEqual(self.tree("release/1.0"), ["README.md", "setup.py"])
        self.assertEqual(self.commits("master"), ["Test: theirs"])

    def test_a_branch_without_files_is_seeded_on_top_of_what_it_has(self):
        self.repository({})
        self.succeeds()
        self.assertEqual(self.commits(), [f"MLOps seed code: {TITLE}", "Test: theirs"])

    def test_a_branch_with_only_what_providers_make_keeps_all_of_it(self):
        self.repository({"README.md": b"# Theirs\n", "LICENSE": b"theirs", ".gitignore": b"*.log\n"})
        self.seed(
            {"README.md": b"# Seed\n", "LICENSE": b"ours", ".gitignore": b"*.pyc\n", "setup.py": b"", "run.log": b""}
        )
        said = self.succeeds()
        self.assertIn("; kept its own README.md, the seed code's is README.seed-code.md", said)
        self.assertEqual(self.file("README.md"), b"# Theirs\n")
        self.assertEqual(self.file("README.seed-code.md"), b"# Seed\n")
        self.assertEqual(self.file("LICENSE.seed-code"), b"ours")
        self.assertEqual(self.file(".gitignore.seed-code"), b"*.pyc\n")
        # What somebody's .gitignore names is part of the seed code all the same.
        self.assertIn("run.log", self.tree())

    def test_a_readme_that_is_the_seed_codes_own_is_not_doubled(self):
        self.repository({"README.md": b"# Seed\n"})
        self.assertNotIn("kept", self.succeeds())
        self.assertEqual(self.tree(), ["README.md", "setup.py"])

    def test_a_readme_written_in_other_letters_is_kept_too(self):
        self.repository({"readme.md": b"# Theirs\n"})
        self.succeeds()
        self.assertEqual(self.tree(), ["README.seed-code.md", "readme.md", "setup.py"])

    def test_the_address_follows_from_the_connection_in_every_partition(self):
        self.environment["REPOSITORY_FULL_NAME"] = "group/team/churn"
        for number, (partition, service, region, domain) in enumerate(
            (
                ("aws", "codestar-connections", "us-east-2", "amazonaws.com"),
                ("aws-us-gov", "codeconnections", "us-gov-west-1", "amazonaws.com"),
                ("aws-cn", "codeconnections", "cn-north-1", "amazonaws.com.cn"),
                ("aws-eusc", "codeconnections", "eusc-de-east-1", "amazonaws.eu"),
            )
        ):
            with self.subTest(partition):
                self.setUp()
                self.environment["REPOSITORY_FULL_NAME"] = "group/team/churn"
                self.repository()
                host = f"https://{service}.{region}.{domain}"
                self.connect(
                    f"arn:{partition}:{service}:{region}:111122223333:connection/c-{number}",
                    f"{host}/git-http/111122223333/{region}/c-{number}/",
                )
                self.assertIn("seeded main", self.succeeds())


class WhereItDoesNot(Harness):
    def test_a_repository_with_code_is_left_alone_and_an_example_says_why(self):
        self.repository({"README.md": b"", "main.py": b"x"})
        self.assertEqual(self.succeeds(), "left alone: main holds files of its own, such as main.py")
        self.assertEqual(self.commits(), ["Test: theirs"])

    def test_a_folder_is_code_even_if_it_is_called_readme(self):
        self.repository({"README/chapter.md": b"x"})
        self.assertIn("left alone: main holds files of its own, such as README", self.succeeds())

    def test_a_repository_with_code_needs_no_archive(self):
        self.repository({"main.py": b"x"})
        self.assertIn("left alone", self.succeeds(SEED_CODE_URL="s3://seeds/gone.zip"))

    def test_a_second_run_finds_its_own_commit(self):
        self.repository()
        commit = self.succeeds().rpartition(" ")[2]
        self.assertEqual(self.succeeds(), f"left alone: main was seeded before, by commit {commit}")
        self.assertEqual(len(self.commits()), 1)

    def test_a_run_after_one_that_died_between_push_and_answer_finds_its_commit(self):
        self.repository()
        # The hook ends everything that its build started, as a build that is stopped would.
        self.hook("post-update", "kill -KILL 0\n")
        self.assertIn("ended without a word", self.fails())
        (self.bare / "hooks" / "post-update").unlink()
        self.assertIn("left alone: main was seeded before, by commit ", self.succeeds())
        self.assertEqual(len(self.commits()), 1)

    def test_a_run_after_one_that_died_before_its_push_seeds(self):
        self.repository()
        (self.folder / "meanwhile").write_text("kill -KILL 0\n")
        self.assertIn("ended without a word", self.fails())
        (self.folder / "meanwhile").unlink()
        self.assertIn("seeded main", self.succeeds())

    def test_the_seed_code_of_an_earlier_project_is_told_apart(self):
        self.repository()
        self.succeeds()
        said = self.succeeds(SAGEMAKER_PROJECT_ID="p-next")
        self.assertIn("left alone: main holds the seed code of project p-abc123", said)
        self.assertIn("empty the branch first", said)

    def test_who_pushes_in_the_middle_of_it_wins(self):
        self.repository()
        (self.folder / "meanwhile").write_text(self.somebody_else("theirs.py"))
        self.assertEqual(self.succeeds(), "left alone: main holds files of its own, such as theirs.py")
        self.assertEqual(self.commits(), ["Test: theirs"])

    def test_who_pushes_to_a_branch_that_was_there_in_the_middle_of_it_wins(self):
        self.repository({"README.md": b""})
        (self.folder / "meanwhile").write_text(self.somebody_else("theirs.py"))
        self.assertEqual(self.succeeds(), "left alone: main holds files of its own, such as theirs.py")
        self.assertEqual(self.tree(), ["README.md", "theirs.py"])

    def test_who_pushes_in_the_very_moment_of_its_push_wins_too(self):
        self.repository({"README.md": b""})
        (self.folder / "before-push").write_text(self.somebody_else("theirs.py"))
        self.assertEqual(self.succeeds(), "left alone: main holds files of its own, such as theirs.py")
        self.assertEqual(self.tree(), ["README.md", "theirs.py"])

    def test_who_adds_a_licence_in_that_moment_keeps_it_and_is_seeded(self):
        self.repository({"README.md": b""})
        (self.folder / "before-push").write_text(self.somebody_else("LICENSE"))
        self.assertIn("seeded main", self.succeeds())
        self.assertEqual(self.tree(), ["LICENSE", "README.md", "README.seed-code.md", "setup.py"])


    def test_a_branch_that_another_push_has_locked_is_waited_for(self):
        self.repository({"README.md": b""})
        lock = self.bare / "refs" / "heads" / "main.lock"
        (self.folder / "before-push").write_text(f"touch {lock}; (sleep 1; rm {lock}) > /dev/null 2>&1 &\n")
        self.assertIn("seeded main", self.succeeds())

    def test_a_branch_that_stays_locked_is_told_as_that_and_not_as_protected(self):
        self.repository({"README.md": b""})
        (self.bare / "refs" / "heads" / "main.lock").touch()
        self.patch("check_in.py", "WAITS = (0, 0, 2, 4, 8, 16)", "WAITS = (0, 0)")
        said = self.fails()
        self.assertIn("main of example/churn was changed or locked by others in each of 2 attempts", said)

    def test_of_two_check_ins_that_meet_one_seeds_and_the_other_says_whose_it_is(self):
        self.repository({"README.md": b""})
        builds = []
        for project in ("p-first", "p-other"):
            source = self.folder / project
            shutil.copytree(self.source, source)
            environment = {**self.environment, "SAGEMAKER_PROJECT_ID": project}
            command = ["bash", "-c", "python3 check_in.py"]
            builds.append(subprocess.Popen(command, cwd=source, env=environment, stdout=subprocess.PIPE))
        said = [build.communicate(timeout=SECONDS)[0].decode() for build in builds]
        self.assertEqual([build.returncode for build in builds], [0, 0], said)
        self.assertEqual(sum("seeded main" in one for one in said), 1, said)
        self.assertEqual(sum("left alone: main holds the seed code of project" in one for one in said), 1, said)
        self.assertEqual(len(self.commits()), 2)


class NamesOfProviders(Harness):
    def test_names_with_blanks_brackets_and_tildes_reach_their_repository(self):
        for name in ("org/Taxi Fares/model build", "~ada/churn", "A & B (old)/churn"):
            with self.subTest(name):
                self.environment["REPOSITORY_FULL_NAME"] = name
                quoted = urllib.parse.quote(name)
                self.repository()
                config = self.folder / "home" / ".gitconfig"
                config.write_text(config.read_text() + f'[url "{self.bare}"]\n\tinsteadOf = {BASE}{quoted}.git\n')
                self.assertIn("seeded main", self.succeeds())


class WhatIsInTheCommit(Harness):
    def test_every_text_file_is_filled_in_with_values_as_they_are(self):
        text = " ".join(f"@@@{name}@@@" for name in FILLED).encode()
        self.seed(
            {"jenkins/seed_job.groovy": text, "a/b.txt": "Größe: @@@AWS_REGION@@@ 測試".encode(), "c.md": b"@@ @@@"}
        )
        self.repository()
        self.succeeds()
        self.assertEqual(self.file("jenkins/seed_job.groovy").decode(), " ".join(VALUES[name] for name in FILLED))
        self.assertEqual(self.file("a/b.txt").decode(), "Größe: eu-west-1 測試")
        self.assertEqual(self.file("c.md"), b"@@ @@@")

    def test_an_empty_value_is_a_value(self):
        self.seed({"a.txt": b"[@@@ARTIFACT_BUCKET@@@]"})
        self.repository()
        self.succeeds(ARTIFACT_BUCKET="")
        self.assertEqual(self.file("a.txt"), b"[]")

    def test_a_value_that_looks_like_a_placeholder_is_not_filled_in_again(self):
        self.seed({"a.txt": b"@@@ARTIFACT_BUCKET@@@"})
        self.repository()
        self.succeeds(ARTIFACT_BUCKET="@@@AWS_REGION@@@")
        self.assertEqual(self.file("a.txt"), b"@@@AWS_REGION@@@")

    def test_binary_files_line_ends_and_executable_bits_stay_as_they_are(self):
        binary = bytes(range(256)) + b"@@@AWS_REGION@@@"
        self.seed({"model.bin": binary, "run.sh": (b"#!/bin/sh\r\n", 0o100755), "plain.txt": b"a\r\nb\n"})
        self.repository()
        self.succeeds()
        self.assertEqual(self.file("model.bin"), binary)
        self.assertEqual(self.file("plain.txt"), b"a\r\nb\n")
        modes = self.git("ls-tree", "--format=%(path) %(objectmode)", "main").splitlines()
        self.assertEqual(modes, ["model.bin 100644", "plain.txt 100644", "run.sh 100755"])

    def test_the_commit_says_where_it_is_from_and_whose_it_is(self):
        self.repository()
        self.succeeds()
        message = self.git("log", "-1", "--format=%B", "main")
        self.assertIn("From s3://seeds/seed.zip.", message)
        self.assertIn(
            f"Seed-Code-Sha256: {self.environment['SEED_CODE_SHA256']}\nSageMaker-Project-Id: p-abc123", message
        )

    def test_a_placeholder_that_nobody_fills_in_is_named_and_nothing_is_committed(self):
        self.repository()
        for entries, where in (
            ({"a.txt": b"@@@NOBODYS@@@"}, "@@@NOBODYS@@@ in a.txt"),
            ({"@@@NOBODYS@@@.txt": b""}, "the name @@@NOBODYS@@@.txt"),
        ):
            with self.subTest(where):
                self.seed(entries)
                self.assertIn(f"placeholders without a value: {where}", self.fails())
        self.assertEqual(self.git("for-each-ref"), "")


class WhatItRefuses(Harness):
    def test_an_archive_that_is_another_one(self):
        self.repository()
        said = self.fails(SEED_CODE_SHA256="0" * 64)
        self.assertIn("s3://seeds/seed.zip has the SHA-256 ", said)
        self.assertIn("correct the archive or the SHA-256", said)
        self.assertEqual(self.git("for-each-ref"), "")

    def test_entries_that_would_leave_the_folder_or_are_no_files(self):
        self.repository()
        for name, content, words in (
            ("../../evil", b"", "leads out of its folder: ../../evil"),
            ("/etc/evil", b"", "leads out of its folder: /etc/evil"),
            ("a/../../evil", b"", "leads out of its folder"),
            ("a\\..\\evil", b"", "leads out of its folder"),
            ("link", (b"/etc/passwd", 0o120777), "no plain file, such as a link: link"),
            (".git/hooks/post-commit", b"", "a Git repository of its own, at .git/hooks/post-commit"),
            ("a/.GIT/config", b"", "a Git repository of its own"),
        ):
            with self.subTest(name):
                self.seed({"setup.py": b"", name: content})
                self.assertIn(words, self.fails())
        self.assertEqual(self.git("for-each-ref"), "")
        self.assertEqual(list(self.folder.rglob("evil")), [])

    def test_what_is_no_archive_or_holds_nothing(self):
        self.repository()
        damaged = bytearray(archive({"a": b"seed code " * 100}))
        damaged[31:41] = b"\xff" * 10  # behind the header of the only entry: its compressed content
        for content, words in (
            (b"<html>", "cannot be unpacked as a zip archive"),
            (bytes(damaged), "cannot be unpacked as a zip archive"),
            (archive({}), "holds no file"),
        ):
            with self.subTest(words, size=len(content)):
                self.store(content)
                self.assertIn(words, self.fails())

    def test_an_archive_that_is_too_large_packed_or_unpacked_or_has_too_many_files(self):
        self.repository()
        large = {"a": os.urandom(3 << 20)}
        for old, new, words in (
            ("ARCHIVE_BYTES = 50 * 1024 * 1024", "ARCHIVE_BYTES = 1024 * 1024", "has more than 1 MiB, the most"),
            ("UNPACKED_BYTES = 200 * 1024 * 1024", "UNPACKED_BYTES = 1024 * 1024", "has more than 1 MiB unpacked"),
            ("MOST_FILES = 10_000", "MOST_FILES = 0", "has more than 0 files"),
        ):
            with self.subTest(words):
                self.seed(large)
                self.patch("archive.py", old, new)
                self.assertIn(words, self.fails())
                self.patch("archive.py", new, old)
                # What is too large is not fetched to its end.
                self.assertEqual((self.folder / "all-of-it").exists(), "unpacked" in words or "files" in words)

    def test_an_archive_that_is_not_there_or_may_not_be_read(self):
        self.repository()
        self.assertIn(
            "there is no s3://seeds/gone.zip: upload the archive", self.fails(SEED_CODE_URL="s3://seeds/gone.zip")
        )
        (self.folder / "s3" / "seeds" / "shut.zip").touch()
        self.assertIn(
            "may not read s3://seeds/shut.zip, or it is not there: allow it s3:GetObject",
            self.fails(SEED_CODE_URL="s3://seeds/shut.zip"),
        )

    def test_a_protected_branch_and_what_to_do_about_it(self):
        self.repository({"README.md": b""})
        self.hook("pre-receive", "echo 'GH006: Protected branch update failed for refs/heads/main.' >&2\nexit 1\n")
        said = self.fails()
        self.assertIn(
            "the server refuses the push to main of example/churn (GH006: Protected branch update failed", said
        )
        self.assertIn("by a pull request", said)
        self.assertEqual(self.commits(), ["Test: theirs"])

    def test_a_push_that_was_taken_and_undone(self):
        self.repository()
        self.hook("post-receive", "git update-ref -d refs/heads/main\n")
        self.assertIn("was accepted, but the branch is not at commit", self.fails())

    def test_a_repository_that_is_not_there(self):
        self.assertIn("there is no repository example/churn, or the connection", self.fails())

    def test_an_address_that_cannot_be_reached(self):
        """Here no address can but those of the tests' own repositories: see NOWHERE."""
        self.repository()
        other = CONNECTION[:-1] + "6"
        said = self.fails(CONNECTION_ARN=other)
        self.assertIn(f"example/churn cannot be reached through {other}: ", said)
        self.assertIn("127.0.0.1 port 9", said)

    def test_names_that_are_none(self):
        self.repository()
        for changes, words in (
            ({"CONNECTION_ARN": "arn:aws:iam::111122223333:role/x"}, "is not the ARN of a connection"),
            ({"REPOSITORY_FULL_NAME": "../churn"}, "is not owner/name"),
            ({"BRANCH": "a..b"}, "is not the name of a Git branch"),
            ({"SEED_CODE_URL": "ftp://example.com/a.zip"}, "is neither an s3:// nor an https:// address"),
            ({"SEED_CODE_URL": "http://example.com/a.zip"}, "is neither an s3:// nor an https:// address"),
            ({"SEED_CODE_URL": ""}, "was not told SEED_CODE_URL"),
        ):
            with self.subTest(words):
                before = dict(self.environment)
                self.assertIn(words, self.fails(**changes))
                self.environment = before

    def test_more_time_than_it_has(self):
        self.repository()
        (self.folder / "meanwhile").write_text("exec sleep 30\n")
        self.patch("check_in.py", "SECONDS = 600", "SECONDS = 1")
        self.assertIn("took more than 0 minutes", self.fails())

    def test_an_error_of_its_own(self):
        self.repository()
        self.patch("archive.py", "hashlib.sha256(", "hashlib.nothing(")
        self.assertIn("for a reason that it does not know: look at the build's log", self.fails())
        self.assertIn("AttributeError", self.output)


class TheAnswer(Harness):
    def test_it_is_sent_again_where_it_was_not_taken(self):
        self.repository()
        server, sent = responses(self, [503])
        self.environment["RESPONSE_URL"] = server.url
        self.assertEqual(self.command("python3 check_in.py"), 0)
        self.assertEqual([reply["Status"] for _, _, reply, _ in sent], ["SUCCESS", "SUCCESS"])

    def test_a_long_reason_in_any_language_still_fits(self):
        self.repository()
        self.hook("pre-receive", "for n in $(seq 200); do echo '保護されたブランチです。' >&2; done; exit 1\n")
        self.assertIn("保護されたブランチです。", self.fails())


class HttpsArchive(Harness):
    def setUp(self):
        super().setUp()
        self.repository()
        content = (self.folder / "s3" / "seeds" / "seed.zip").read_bytes()
        to = {"plain": "http://127.0.0.1:9/seed.zip", "on": "/seed.zip?token=hush"}

        class Files(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                name = self.path.split("?")[0].lstrip("/")
                found = name == "seed.zip"
                self.send_response(302 if name in to else 200 if found else 403)
                if name in to:
                    self.send_header("Location", to[name])
                self.send_header("Content-Length", str(len(content) if found else 0))
                self.end_headers()
                if found:
                    self.wfile.write(content)

        self.files = Server(self, Files, tls=True)

    def test_it_is_fetched_and_its_query_is_kept_secret(self):
        self.assertIn("seeded main", self.succeeds(SEED_CODE_URL=f"{self.files.url}/seed.zip?token=hush"))
        self.assertIn(f"From {self.files.url}/seed.zip.", self.git("log", "-1", "--format=%B", "main"))

    def test_a_redirect_is_followed(self):
        self.assertIn("seeded main", self.succeeds(SEED_CODE_URL=f"{self.files.url}/on"))

    def test_a_redirect_to_plain_http_is_refused(self):
        self.assertIn("redirects to one that is not https", self.fails(SEED_CODE_URL=f"{self.files.url}/plain"))

    def test_a_server_that_refuses_is_told_with_its_status_and_without_the_query(self):
        said = self.fails(SEED_CODE_URL=f"{self.files.url}/shut.zip?token=hush")
        self.assertIn(f"{self.files.url}/shut.zip answers 403", said)
        self.assertNotIn("hush", said)

    def test_a_server_whose_certificate_nobody_vouches_for_is_refused(self):
        said = self.fails(SEED_CODE_URL=f"{self.files.url}/seed.zip", SSL_CERT_FILE="/dev/null")
        self.assertIn("cannot be read: ", said)
        self.assertIn("certificate", said.lower())

    def test_an_archive_that_is_too_large_is_not_read_to_its_end(self):
        self.patch("archive.py", "ARCHIVE_BYTES = 50 * 1024 * 1024", "ARCHIVE_BYTES = 100")
        self.assertIn("the most for seed code", self.fails(SEED_CODE_URL=f"{self.files.url}/seed.zip"))


class OverHttp(Harness):
    """The same repository behind git's own HTTP server, with TLS and a password: as a connection gives it."""

    def setUp(self):
        super().setUp()
        self.repository({"README.md": b"# Theirs\n"})
        for name in ("http.receivepack", "uploadpack.allowFilter"):
            self.git("config", name, "true")
        harness, self.requests = self, []

        class Backend(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                given = self.headers["Authorization"] or ""
                wanted = "Basic " + base64.b64encode(b"AKID:0123Zsecret").decode()
                harness.requests.append((self.command, self.path, given == wanted))
                if given != wanted:
                    self.reply(403 if given else 401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
                    return
                self.reply(*harness.backend(self))

            do_POST = do_GET

            def reply(self, status, headers, body):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.git_server = Server(self, Backend, tls=True)
        config = self.folder / "home" / ".gitconfig"
        text = config.read_text().replace(f"{self.folder}/git/", f"{self.git_server.url}/")
        config.write_text(f"{text}[http]\n\tsslCAInfo = {TLS / 'ca.pem'}\n")

    def backend(self, request):
        """git http-backend, as a web server runs it."""
        path, _, query = request.path.partition("?")
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": f"{self.folder}/git",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers["Git-Protocol"] or "",
            "REMOTE_USER": "AKID",
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers["Content-Type"] or "",
            "HTTP_CONTENT_ENCODING": request.headers["Content-Encoding"] or "",
            "CONTENT_LENGTH": str(len(body)),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, timeout=SECONDS
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().splitlines()]
        status = next((int(value.split(" ")[0]) for name, value in headers if name == "Status"), 200)
        return status, [header for header in headers if header[0] != "Status"], rest

    def test_it_shows_the_connections_credentials_and_seeds(self):
        self.assertIn("seeded main with 2 files", self.succeeds())
        self.assertEqual(self.tree(), ["README.md", "README.seed-code.md", "setup.py"])
        self.assertIn("--region eu-west-1 codecommit credential-helper get", (self.folder / "aws-calls").read_text())
        self.assertIn("path=example/churn.git", (self.folder / "asked").read_text())
        self.assertTrue(all(known for method, _, known in self.requests if method == "POST"))

    def test_a_connection_that_may_not_is_told_with_what_is_to_be_done(self):
        (self.folder / "password").write_text("9999Zwrong")
        said = self.fails()
        self.assertIn("does not give the build access to example/churn", said)
        self.assertIn("codeconnections:UseConnection", said)


class TheRealHelper(unittest.TestCase):
    def test_the_aws_cli_signs_for_the_host_of_a_connection(self):
        address = BASE + "example/churn.git"
        host, _, path = address.removeprefix("https://").partition("/")
        done = subprocess.run(
            [
                pathlib.Path(sys.executable).with_name("aws"),
                "--region",
                "eu-west-1",
                "codecommit",
                "credential-helper",
                "get",
            ],
            input=f"protocol=https\nhost={host}\npath={path}\n\n",
            env={"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        self.assertRegex(done.stdout, r"^username=AKID\npassword=\d{8}T\d{6}Z[0-9a-f]{64}\n")


class TheDocumentation(unittest.TestCase):
    PAGE = (ROOT / "docs" / "seed-code.md").read_text()

    def test_every_message_that_it_explains_is_one_that_can_come(self):
        sources = [file.read_text() for file in CHECK_IN.glob("*.py")]
        sources.append((ROOT / "src" / "templates" / "jenkins-git-v1.yaml").read_text())
        # Sentences are cut into lines and quotes there.
        said = re.sub(r'"\s*f?"', "", "\n".join(sources))
        table = self.PAGE.partition("| the message begins with |")[2]
        messages = re.findall(
            r"`([^`]+)`", "\n".join(row.split("|")[1] for row in table.splitlines() if row.count("|") > 2)
        )
        self.assertGreater(len(messages), 10)
        for message in messages:
            if message != "did not receive a response":  # CloudFormation's own
                for piece in re.split(r"\s*\.\.\.,?\s*|s3://|10 minutes", message):
                    self.assertIn(piece, said)

    def test_it_names_every_placeholder(self):
        filled = set(re.findall(r"@@@([A-Z_]+)@@@", self.PAGE))
        self.assertEqual(filled, set(FILLED))


if __name__ == "__main__":
    unittest.main()
