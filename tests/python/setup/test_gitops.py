"""What the examples for Argo CD and Flux promise, as far as their files say it; `make test-argocd` syncs the former."""

import pathlib
import re
import unittest

import yaml

ROOT = pathlib.Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"


def objects(kind, *names):
    """The objects of a kind in files of the examples."""
    documents = (one for name in names for one in yaml.safe_load_all((EXAMPLES / name).read_text()))
    return [one for one in documents if one["kind"] == kind]


class Gitops(unittest.TestCase):
    def test_teams_may_write_projects_in_their_namespaces_and_nothing_else(self):
        teams = next(one["spec"] for one in objects("AppProject", "argocd/app-projects.yaml") if one["metadata"]["name"] == "ml")
        # Destinations do not bound what is cluster-scoped.
        self.assertEqual(teams["clusterResourceWhitelist"], [])
        self.assertEqual(teams["namespaceResourceWhitelist"], [{"group": "mlops-operator.io", "kind": "MlopsProject"}])

    def test_flux_applies_a_teams_repository_with_that_teams_rights(self):
        applied = objects("Kustomization", "flux/projects.yaml")[0]
        account = {"kind": "ServiceAccount", "name": applied["spec"]["serviceAccountName"], "namespace": applied["metadata"]["namespace"]}
        self.assertEqual([one["metadata"] for one in objects("ServiceAccount", "flux/projects.yaml")], [{key: account[key] for key in ("name", "namespace")}])
        (binding,), (role,) = (objects(kind, "flux/projects.yaml") for kind in ("RoleBinding", "Role"))
        self.assertEqual((binding["subjects"], binding["roleRef"]["name"]), ([account], role["metadata"]["name"]))
        self.assertEqual({binding["metadata"]["namespace"], role["metadata"]["namespace"]}, {applied["spec"]["targetNamespace"]})
        self.assertEqual([(rule["apiGroups"], rule["resources"]) for rule in role["rules"]], [(["mlops-operator.io"], ["mlopsprojects"])])

    def test_crds_chart_and_image_are_of_one_version(self):
        version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        crds, operator = (objects("Application", f"argocd/apps/{name}.yaml")[0]["spec"]["source"] for name in ("crds", "operator"))
        repository, release = (objects(kind, "flux/operator.yaml")[0]["spec"] for kind in ("GitRepository", "HelmRelease"))
        for source in (crds, operator):
            self.assertEqual(source["targetRevision"], f"v{version}")
        self.assertEqual(repository["ref"], {"tag": f"v{version}"})
        for values in (operator["helm"]["valuesObject"], release["values"]):
            self.assertEqual(values["image"]["tag"], version)

    def test_a_failed_release_is_tried_again_without_an_end(self):
        release = objects("HelmRelease", "flux/operator.yaml")[0]["spec"]
        for action in ("install", "upgrade"):
            # Absent it is 0: the first failure is final.
            self.assertEqual(release.get(action, {}).get("remediation", {}).get("retries"), -1, action)


if __name__ == "__main__":
    unittest.main()
