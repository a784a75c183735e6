"""The Git repository at the other end of a connection: what its branch holds, and the one commit that may go there.

It stands alone because it is all that speaks Git. It never forces a push and never overwrites a file.
"""

import os
import re
import shutil
import subprocess
import typing
import urllib.parse

from order import Refused, last_line

PROJECT_TRAILER = "SageMaker-Project-Id"
# What providers put into a new repository.
HARMLESS = re.compile(r"(readme|licen[cs]e)([._-].*)?|\.gitignore", re.IGNORECASE)
CONNECTION = re.compile(
    r"arn:(aws[a-z-]*):(codeconnections|codestar-connections):([a-z0-9-]+):([0-9]{12}):connection/([A-Za-z0-9-]+)"
)
# A server's words for a reference that another push holds or has moved in this very moment (git's refs.c and
# files-backend.c): no protection, and over in a moment.
BUSY = re.compile(r"cannot lock ref|unable to create '[^']*\.lock'|reference already exists|failed to update ref", re.I)
DOMAINS = {"aws-cn": "amazonaws.com.cn", "aws-eusc": "amazonaws.eu"}  # of partitions that have one of their own
AUTHOR = ("MLOps seed code", "noreply@mlops-operator.io")


class Head(typing.NamedTuple):
    """The newest commit of the branch: its id, its top-level entries as (name, type, object id), whose seed it is."""

    commit: str
    entries: list[tuple[str, str, str]]
    seeded_for: str


class Git:
    """git, with the connection's credentials and without anybody's habits."""

    def __init__(self, folder, region):
        self.folder = folder
        helper = f"!aws --region {region} codecommit credential-helper $@"
        settings = ("credential.helper=", f"credential.helper={helper}", "credential.useHttpPath=true")
        settings += ("core.hooksPath=/dev/null", "core.autocrlf=false", "core.fileMode=true", "commit.gpgSign=false")
        settings += ("gc.auto=0", "http.lowSpeedLimit=1", "http.lowSpeedTime=120")
        self.command = ["git"] + [word for setting in settings for word in ("-c", setting)]
        self.environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        for role in ("AUTHOR", "COMMITTER"):
            self.environment[f"GIT_{role}_NAME"], self.environment[f"GIT_{role}_EMAIL"] = AUTHOR

    def run(self, *words):
        """The finished process, whatever its exit code."""
        return subprocess.run(
            self.command + list(words),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )

    def local(self, *words):
        """The output of a command that only fails where this machine does."""
        done = self.run(*words)
        if done.returncode != 0:
            raise Refused(f"git {words[0]} failed in the build: {last_line(done.stderr)}")
        return done.stdout


class Repository:
    """The repository at the other end of the connection."""

    def __init__(self, order, scratch):
        self.order, self.scratch = order, scratch
        parts = CONNECTION.fullmatch(order.connection)
        if not parts:
            raise Refused(f"{order.connection} is not the ARN of a connection: correct the parameter")
        partition, service, self.region, account, connection = parts.groups()
        domain = DOMAINS.get(partition, "amazonaws.com")
        name = urllib.parse.quote(order.repository)
        if any(part in ("", ".", "..") for part in order.repository.split("/")):
            raise Refused(f"{order.repository} is not owner/name: correct the parameter")
        host = f"{service}.{self.region}.{domain}"
        self.url = f"https://{host}/git-http/{account}/{self.region}/{connection}/{name}.git"
        self.reference = f"refs/heads/{order.branch}"
        if self.git("look").run("check-ref-format", self.reference).returncode != 0:
            raise Refused(f"{order.branch} is not the name of a Git branch: correct the parameter")

    def git(self, name):
        """git in a new, empty folder."""
        folder = self.scratch / f"{name}-{len(list(self.scratch.iterdir()))}"
        folder.mkdir()
        return Git(folder, self.region)

    def tip(self):
        """The id of the branch's newest commit; none where there is no such branch."""
        done = self.git("tip").run("ls-remote", self.url, self.reference)
        if done.returncode != 0:
            raise Refused(unreachable(self.order, done.stderr))
        lines = (line.split("\t") for line in done.stdout.splitlines())
        return next((line[0] for line in lines if line[-1] == self.reference), None)

    def fetched(self, name, *options):
        """A new working repository with the newest commit of the branch as FETCH_HEAD."""
        git = self.git(name)
        git.local("init", "--quiet")
        git.local("remote", "add", "origin", self.url)
        done = git.run("fetch", "--quiet", "--no-tags", "--depth=1", *options, "origin", self.reference)
        if done.returncode != 0:
            raise Refused(unreachable(self.order, done.stderr))
        return git

    def head(self):
        """What the branch holds; none where there is no such branch."""
        if self.tip() is None:
            return None
        # Names are enough to decide, so that a large repository costs little.
        git = self.fetched("look", "--filter=blob:none")
        trailer = f"%(trailers:key={PROJECT_TRAILER},valueonly,separator=%x20)"
        commit, seeded_for = git.local("log", "-1", f"--format=%H%x00{trailer}", "FETCH_HEAD").strip("\n").split("\0")
        entries = []
        for entry in filter(None, git.local("ls-tree", "-z", "FETCH_HEAD").split("\0")):
            facts, name = entry.split("\t", 1)
            _, kind, identity = facts.split(" ")
            entries.append((name, kind, identity))
        return Head(commit, entries, seeded_for.strip())

    def seed(self, head, files, message):
        """Commits the files and pushes: what there is to say about it, or none where somebody else was faster."""
        if head is None:
            git = self.git("work")
            git.local("init", "--quiet")
        else:
            git = self.fetched("work")
            if git.local("rev-parse", "FETCH_HEAD").strip() != head.commit:
                return None
            git.local("checkout", "--quiet", "-b", "seed", "FETCH_HEAD")
        moved = place(files, git, head)
        git.local("add", "--all", "--force")
        git.local("commit", "--quiet", "--allow-empty", f"--message={message}")
        commit = git.local("rev-parse", "HEAD").strip()
        if not self.push(git, commit):
            return None
        count = f"{len(files)} files" if len(files) != 1 else "1 file"
        return f"seeded {self.order.branch} with {count}, commit {commit[:7]}{kept(moved)}"

    def push(self, git, commit):
        """Whether the branch is at the commit now; no, where somebody else was faster."""
        done = git.run("push", "--porcelain", "--no-verify", self.url, f"{commit}:{self.reference}")
        said = [line for line in done.stdout.splitlines() if line.startswith("!")]
        if any("[rejected]" in line for line in said) or (said and BUSY.search(said[0] + done.stderr)):
            return False
        if said:
            raise Refused(protected(self.order, said[0], done.stderr))
        if done.returncode != 0:
            raise Refused(unreachable(self.order, done.stderr))
        if self.tip() != commit:
            raise Refused(f"the push to {self.order.place} was accepted, but the branch is not at commit {commit[:7]}")
        return True


def unreachable(order, said):
    """Why the repository cannot be read or written."""
    text = said.lower()
    if "not found" in text or "error: 404" in text or "does not appear to be a git repository" in text:
        return (
            f"there is no repository {order.repository}, or the connection {order.connection} may not see it: "
            "correct the name, or let the connection's app into the repository"
        )
    denied = ("authentication failed", "error: 401", "error: 403", "could not read username", "could not read password")
    if any(words in text for words in denied):
        return (
            f"the connection {order.connection} does not give the build access to {order.repository}: complete its "
            "handshake, let its app write to the repository, and allow the build's role to use the connection "
            "(codeconnections:UseConnection, codestar-connections:UseConnection)"
        )
    return f"{order.repository} cannot be reached through {order.connection}: {last_line(said)}"


def protected(order, said, errors):
    """What to do about a server that takes no push."""
    words = [line[len("remote:") :].strip() for line in errors.splitlines() if line.startswith("remote:")]
    words = "; ".join(word for word in words if word) or said.split("\t")[-1]
    return (
        f"the server refuses the push to {order.place} ({words}). Where the branch is protected, let the connection's "
        "app push to it or lift the protection until the first commit is there; or ask for no seed code, and bring "
        "the code in by a pull request"
    )


def settled(order, head):
    """Why there is nothing to do, if so."""
    if head is None:
        return None
    if head.seeded_for == order.project_id:
        return f"left alone: {order.branch} was seeded before, by commit {head.commit[:7]}"
    if head.seeded_for:
        return (
            f"left alone: {order.branch} holds the seed code of project {head.seeded_for}, commit {head.commit[:7]}; "
            "to seed it for this project, empty the branch first"
        )
    own = [name for name, kind, _ in head.entries if kind != "blob" or not HARMLESS.fullmatch(name)]
    return f"left alone: {order.branch} holds files of its own, such as {own[0]}" if own else None


def kept(moved):
    """Says which files were there already."""
    return "".join(f"; kept its own {theirs}, the seed code's is {ours}" for theirs, ours in moved)


def place(files, git, head):
    """Copies the seed code into the working tree, beside what is there: pairs of (kept name, the seed code's name)."""
    theirs = {name.casefold(): (name, identity) for name, _, identity in (head.entries if head else [])}
    moved = []
    for name, source in files.items():
        held, target = theirs.get(name.casefold()), name
        if held:
            if git.local("hash-object", "--no-filters", "--", str(source)).strip() == held[1]:
                continue
            stem, dot, suffix = name.partition(".") if not name.startswith(".") else (name, "", "")
            target = f"{stem}.seed-code{dot}{suffix}"
            if target in files:
                raise Refused(f"{name} is there already and {target} is taken: rename one of them in the archive")
            moved.append((held[0], target))
        destination = git.folder / target
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, destination)
    return moved
