"""The script of the evaluation step, on models trained here and on archives that nobody should trust."""

import ast
import io
import json
import pickle
import sys
import tarfile

import numpy as np
import pytest
import xgboost

from pipelines.train import evaluate


def records(count, seed=1):
    """Label and three features; the label is twice the first feature, and some noise."""
    random = np.random.RandomState(seed)
    features = random.uniform(0, 10, (count, 3))
    return np.column_stack([2 * features[:, 0] + random.normal(0, 0.1, count), features])


@pytest.fixture(scope="module")
def native_model():
    train = records(2000)
    booster = xgboost.train({"max_depth": 6}, xgboost.DMatrix(train[:, 1:], train[:, 0]), 30)
    return bytes(booster.save_raw("ubj"))


@pytest.fixture
def container(tmp_path):
    """Fills a root folder such as /opt/ml with an archive of the given members and a test set in two files."""

    def fill(members, test=None):
        model, folder = tmp_path / "processing/model", tmp_path / "processing/test"
        model.mkdir(parents=True)
        folder.mkdir()
        with tarfile.open(model / "model.tar.gz", "w:gz") as archive:
            for name, content in members:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        rows = records(400, seed=2) if test is None else test
        for number, part in enumerate(np.array_split(rows, 2)):
            np.savetxt(folder / f"test-algo-{number + 1}.csv", part, delimiter=",")
        return tmp_path

    return fill


def test_the_report_is_written_in_the_form_of_the_model_registry(container, native_model):
    root = container([("xgboost-model", native_model)])
    evaluate.run(root)
    metrics = json.loads((root / "processing/evaluation/evaluation.json").read_text())["regression_metrics"]
    assert set(metrics) == {"rmse", "mae", "mse", "r2"}
    assert all(set(metric) == {"value", "standard_deviation"} for metric in metrics.values())
    assert metrics["rmse"]["value"] < 1 and metrics["r2"]["value"] > 0.95


def test_each_metric_has_a_standard_deviation_of_its_own(container, native_model):
    metrics = evaluate.run(container([("xgboost-model", native_model)]))["regression_metrics"]
    deviations = [metric["standard_deviation"] for metric in metrics.values()]
    assert len(set(deviations)) == 4 and all(deviation > 0 for deviation in deviations)


def test_all_files_of_the_test_set_count(container, native_model):
    root = container([("xgboost-model", native_model)])
    labels, _ = evaluate.load_test_set(root / "processing/test")
    assert len(labels) == 400


def test_the_metrics_are_what_their_names_say():
    metrics = evaluate.metrics_of(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
    assert metrics == pytest.approx({"rmse": 3**0.5, "mae": 1.0, "mse": 3.0, "r2": -3.5})


class Evil:
    """Unpickling this would write a file."""

    def __reduce__(self):
        return (exec, ("open('pwned', 'w').close()",))


def test_a_pickled_model_is_refused_and_not_run(container, monkeypatch, tmp_path):
    root = container([("xgboost-model", pickle.dumps(Evil()))])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(evaluate.BadInput, match="no model in XGBoost's own format"):
        evaluate.run(root)
    assert not (tmp_path / "pwned").exists()


def test_an_archive_that_climbs_out_of_its_folder_writes_nothing(container, native_model, tmp_path, monkeypatch):
    root = container([("../../../escaped", b"evil"), ("/tmp/escaped-seed-test", b"evil"), ("./xgboost-model", native_model)])
    monkeypatch.chdir(root)
    before = {path for path in tmp_path.rglob("*")}
    evaluate.run(root)
    assert {path.name for path in set(tmp_path.rglob("*")) - before} == {"evaluation", "evaluation.json"}


@pytest.mark.parametrize(
    "members, test, said",
    [
        ([("another", b"x")], None, "must hold one file xgboost-model, but holds 0"),
        ([("a/xgboost-model", b"x"), ("b/xgboost-model", b"x")], None, "but holds 2"),
        ([("xgboost-model", b"")], None, "no model in XGBoost's own format"),
        (None, np.empty((0, 4)), "holds no test records"),
    ],
)
def test_what_cannot_be_evaluated_ends_the_step_with_a_sentence(container, native_model, monkeypatch, members, test, said):
    root = container(members or [("xgboost-model", native_model)], test)
    monkeypatch.setattr(sys, "argv", ["evaluate.py", "--root", str(root)])
    with pytest.raises(SystemExit) as ended:
        evaluate.main()
    assert ended.value.code.startswith("evaluate: ") and said in ended.value.code


def test_the_step_uses_only_what_its_image_carries():
    tree = ast.parse(open(evaluate.__file__).read())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported - set(sys.stdlib_module_names) == {"numpy", "xgboost"}
    assert "pickle" not in imported
