"""The dashboard against Grafana's own types: a Go program that stands in tests/tools/dashboard reads it."""

import json
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[3]
DASHBOARD = ROOT / "charts/mlops-operator/files/dashboard.json"


class TheDashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.program = pathlib.Path(folder.name) / "dashboard"
        subprocess.run(["go", "build", "-o", cls.program, "."], cwd=ROOT / "tests/tools/dashboard", check=True, timeout=1200)

    def read(self, path):
        """What is wrong with a dashboard; empty where nothing is."""
        done = subprocess.run([self.program, path], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode == 0, done.stderr == "", done.stderr)
        return done.stderr

    def test_it_has_every_field_that_grafana_wants_and_no_other(self):
        self.assertEqual(self.read(DASHBOARD), "")

    def test_a_panel_with_a_wrong_option_is_found(self):
        dashboard = json.loads(DASHBOARD.read_text())
        number, panel = next((n, one) for n, one in enumerate(dashboard["panels"]) if one["type"] == "stat")
        wrong = [("graphMode", 7, "graphMode"), ("colour", "red", "colour")]
        for field, value, said in wrong:
            with self.subTest(field), tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "dashboard.json"
                panels = list(dashboard["panels"])
                panels[number] = {**panel, "options": {**panel["options"], field: value}}
                path.write_text(json.dumps({**dashboard, "panels": panels}))
                self.assertIn(f"panels[{number}].options", self.read(path))
                self.assertIn(said, self.read(path))


if __name__ == "__main__":
    unittest.main()
