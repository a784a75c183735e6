"""Holds the chart's dashboard and alerts against `docs/metrics.md`, which is written from the table of metrics.

Every expression is parsed by a parser of PromQL, and asks only for metrics, labels and values that there are; every alert
has its chapter in `docs/alerts.md`.
"""

import json
import re
import unittest
from pathlib import Path

import promql_parser
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "charts/mlops-operator/files"
# What Prometheus adds to each series that it scrapes, by a PodMonitor or a ServiceMonitor. A metric's own label of that name becomes
# `exported_...`.
SCRAPED = {"job", "instance", "namespace", "pod", "container", "endpoint", "service"}
SECTION = re.compile(r"^`(mlops_operator_\w+)` \((\w+)[^\n]*\n((?:\n\|[^\n]*|\|[^\n]*\n)*)", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.MULTILINE)


def metrics():
    """Each series' name, with its labels and the text that says which values they have."""
    found = {}
    for name, kind, table in SECTION.findall((ROOT / "docs/metrics.md").read_text()):
        labels = dict(ROW.findall(table))
        if kind == "histogram":
            found[f"{name}_bucket"] = labels | {"le": "such as 0.1"}
            found |= {f"{name}_{end}": labels for end in ("sum", "count")}
        else:
            found[name] = labels
    return found


def parts(node):
    """A parsed expression and all in it."""
    yield node
    for name in ("expr", "lhs", "rhs", "param"):
        inner = getattr(node, name, None)
        if isinstance(inner, promql_parser.Expr):
            yield from parts(inner)
    for inner in getattr(node, "args", None) or []:
        yield from parts(inner)
    if isinstance(node, promql_parser.MatrixSelector):
        yield from parts(node.vector_selector)


def faults(expression, known):
    """What an expression asks for that there is not."""
    # What Grafana fills in.
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    grouped, labels = set(), set(SCRAPED)
    for node in parts(parsed):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            grouped |= set(node.modifier.labels)
        if isinstance(node, promql_parser.BinaryExpr) and node.modifier and node.modifier.matching:
            grouped |= set(node.modifier.matching.labels)
        if not isinstance(node, promql_parser.VectorSelector):
            continue
        if node.name not in known:
            yield f"there is no {node.name}"
            continue
        labels |= set(known[node.name])
        for matcher in node.matchers.matchers:
            if matcher.name in SCRAPED:
                continue
            if matcher.name not in known[node.name]:
                yield f"{node.name} has no label {matcher.name}"
                continue
            values = known[node.name][matcher.name]
            for value in matcher.value.split("|"):
                if "such as" not in values and f"`{value}`" not in values:
                    yield f"{node.name} has no {matcher.name}={value}: {values}"
    for label in grouped - labels:
        yield f"nothing in it has the label {label}"


def dashboard():
    """The dashboard's expressions, by the titles of their panels."""
    for panel in json.loads((FILES / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]


def alerts():
    """All alerts."""
    return [rule for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]


class Expressions(unittest.TestCase):
    """Of dashboard and alerts."""

    def setUp(self):
        self.known = metrics()
        self.assertIn("mlops_operator_reconcile_duration_seconds_bucket", self.known)
        self.assertIn("outcome", self.known["mlops_operator_remote_calls_total"])

    def test_a_wrong_expression_is_found(self):
        """Each kind of fault, so that the tests below can fail."""
        rows = [
            ("mlops_operator_nothing", "there is no mlops_operator_nothing"),
            ('mlops_operator_objects{colour="red"}', "mlops_operator_objects has no label colour"),
            ('rate(mlops_operator_reconcile_total{outcome="done"}[5m])', "has no outcome=done"),
            ("sum by (colour) (mlops_operator_objects) > 1", "nothing in it has the label colour"),
        ]
        for expression, fault in rows:
            with self.subTest(expression):
                self.assertIn(fault, " ".join(faults(expression, self.known)))
        with self.assertRaises(ValueError):
            list(faults("sum by (", self.known))

    def test_no_metric_has_a_label_that_prometheus_sets(self):
        """Expressions would ask for the wrong one."""
        for name, labels in self.known.items():
            self.assertEqual(set(), SCRAPED & set(labels), name)

    def test_the_dashboard_asks_for_what_there_is(self):
        """Metrics, labels and values."""
        for title, expression, legend in dashboard():
            with self.subTest(title):
                self.assertEqual([], list(faults(expression, self.known)))
                named = re.search(r"by \(([^)]*)\)", expression)
                missing = set(re.findall(r"{{(\w+)}}", legend)) - set(named.group(1).split(", ") if named else [])
                self.assertEqual(set(), missing, "the legend names what the expression does not keep")

    def test_every_metric_but_those_that_alerts_have_is_in_the_dashboard(self):
        """What nobody looks at need not be counted."""
        text = " ".join(expression for _, expression, _ in dashboard()) + " ".join(rule["expr"] for rule in alerts())
        for name in {re.sub("_(bucket|sum|count)$", "", name) for name in self.known}:
            self.assertIn(name, text)

    def test_panels_lie_beside_each_other(self):
        """None is drawn over another, and each has an id of its own."""
        panels = json.loads((FILES / "dashboard.json").read_text())["panels"]
        self.assertEqual(len(panels), len({panel["id"] for panel in panels}))
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
            cells = {(column, row) for column in columns for row in rows}
            self.assertLessEqual(max(columns), 23)
            self.assertEqual(set(), cells & taken, panel["title"])
            taken |= cells

    def test_each_alert_asks_for_what_there_is_and_has_its_chapter(self):
        """Its expression, its summary, and the place where it is said what to do."""
        chapters = re.findall(r"^## (\w+)$", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE)
        self.assertEqual(chapters, [rule["alert"] for rule in alerts()])
        for rule in alerts():
            with self.subTest(rule["alert"]):
                self.assertEqual([], list(faults(rule["expr"], self.known)))
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                self.assertTrue(rule["annotations"]["summary"])
                self.assertEqual(rule["annotations"]["runbook_url"], f"alerts.html#{rule['alert'].lower()}")
                named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
                kept = re.search(r"by \(([^)]*)\)", rule["expr"])
                self.assertLessEqual(named, set(kept.group(1).split(", ") if kept else []))

    def test_commands_look_at_all_pods_or_at_the_one_that_works(self):
        """`deployment/...` is one Pod of several, often one that waits; by labels, kubectl logs shows ten lines unless told."""
        for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
            text = page.read_text()
            self.assertIsNone(re.search("(logs|port-forward) deployment/", text), page)
            for command in re.findall("kubectl .*logs -l .*", text):
                self.assertIn("--tail=", command, page)

    def test_an_upgrade_begins_with_the_values_of_the_new_chart(self):
        """With `--reuse-values` alone Helm leaves out what the new chart's values.yaml has and the old one's had not."""
        for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
            self.assertNotIn(" --reuse-values", page.read_text(), page)


if __name__ == "__main__":
    unittest.main()
