"""From what was measured to a table: percentiles, the first call that names a project, cells. It asks nothing of anybody."""

import datetime
import json
import re

FLEET = [
    "projects", "platforms", "all Ready after", "calls each until then", "calls while idle", "status writes while idle",
    "first call for a changed project: p50, p99", "first call for a new project: p50, p99",
    "memory with the platforms alone, with all, after a restart", "calls in the first minute after a restart",
]  # fmt: skip
SILENT = [
    "projects", "platforms", "first call for a changed project of the others, all answering: p50, p99",
    "one Jenkins silent: p50, p99", "ratio of p50, of p99",
]  # fmt: skip
BESIDE = ["one project", "made after", "calls of AWS, of Jenkins", "looked at in", "calls of AWS, of Jenkins"]
# Digits of a fraction of a second, and those beyond the sixth.
FRACTION = re.compile(r"(\.\d{6})\d+")
HEADS = {"fleet": FLEET, "silent": SILENT, "beside": BESIDE}


def line(cells):
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def head(table):
    """The first two lines of a table."""
    return "\n".join([line(HEADS[table]), line(["---"] * len(HEADS[table]))])


def percentile(values, part):
    """The smallest value that so many of a hundred do not exceed (nearest rank): of 20 values, the 99th is the largest."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * part // 100) - 1)]


def moment(text):
    """A time of the sandbox, in seconds since 1970; it has nanoseconds, of which Python takes six digits."""
    return datetime.datetime.fromisoformat(FRACTION.sub(r"\1", text)).timestamp()


def names(entry, name):
    """Whether a request names a project; what was answered does not count, since a list names all."""
    return any(name in text for text in (entry["uri"], entry["body"], json.dumps(entry["input"])))


def first_call(journal, name):
    """When the first request came in that names the project; None where none does."""
    return next((moment(entry["at"]) for entry in journal if names(entry, name)), None)


def by_side(journal):
    """How many requests AWS had, and how many Jenkins."""
    jenkins = sum(entry["transport"] == "jenkins" for entry in journal)
    return [len(journal) - jenkins, jenkins]


def touched(touches):
    """The cell of how long first calls took: those that did not come are counted and not left out."""
    came = [touch for touch in touches if touch is not None]
    if not came:
        return "none came" if touches else "-"
    cell = f"{percentile(came, 50):.2f} s, {percentile(came, 99):.2f} s"
    return cell if len(came) == len(touches) else f"{cell}; {len(touches) - len(came)} of {len(touches)} did not come"


def complete(figures):
    """Whether everything was measured and came within its time."""
    touches = figures.get("changed", []) + figures.get("new", []) + figures.get("silent", [])
    return "unready" not in figures and None not in touches


def fleet(figures):
    """The row of a fleet; what was not reached is said in the place of its time."""
    projects, memory = figures["projects"], figures["memory"]
    ready = f"{figures['ready']:.1f} s" if "ready" in figures else figures["unready"]
    idle = figures.get("idle")
    return line([
        str(projects), str(figures["platforms"]), ready,
        f"{figures['called'] / projects:.0f}" if "ready" in figures else f"{figures.get('called', 0)} in all",
        f"{idle['calls']} in {idle['seconds']} s" if idle else "-", str(idle["writes"]) if idle else "-",
        touched(figures.get("changed", [])), touched(figures.get("new", [])),
        ", ".join(f"{memory[when]:.1f} MiB" if when in memory else "-" for when in ("alone", "together", "restarted")),
        str(figures.get("restarted", "-")),
    ])  # fmt: skip


def silent(figures):
    """The row of a fleet in which one Jenkins falls silent."""
    cells = [str(figures["projects"]), str(figures["platforms"])]
    if "unready" in figures:
        return line([*cells, figures["unready"], "-", "-"])
    before, during = figures["changed"], figures["silent"]
    ratio = "-"
    if before and during and complete(figures):
        ratio = ", ".join(f"{percentile(during, part) / percentile(before, part):.1f}" for part in (50, 99))
    return line([*cells, touched(before), touched(during), ratio])


def beside(name, made, look):
    """The row of one who makes a project and looks at it: each time so many seconds, calls of AWS, and of Jenkins."""
    cells = [cell for took, aws, jenkins in (made, look) for cell in (f"{took:.1f} s", f"{aws}, {jenkins}")]
    return line([name, *cells])
