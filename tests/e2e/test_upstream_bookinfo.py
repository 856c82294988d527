"""Istio's own bookinfo.yaml and bookinfo-gateway.yaml run as they are; local.yaml says which process plays which image."""
import json
import os
import shutil
import subprocess

import pytest

from mesh import ROOT, SAMPLES, Mesh, until

UPSTREAM = ("platform/kube/bookinfo.yaml", "networking/bookinfo-gateway.yaml")


def upstream_samples():
    """The samples of the pinned module; downloaded when they are not there, and without them the test fails."""
    env = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/local/go/bin"}
    result = subprocess.run(["go", "mod", "download", "-json", "istio.io/istio"], cwd=ROOT / "third_party/apis", env=env,
                            capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, f"the module istio.io/istio of third_party/apis/go.mod cannot be had:\n{result.stdout}{result.stderr}"
    return os.path.join(json.loads(result.stdout)["Dir"], "samples/bookinfo")


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "upstream"
    directory.mkdir()
    samples = upstream_samples()
    for file in UPSTREAM:
        shutil.copy(os.path.join(samples, file), directory)
    shutil.copy(SAMPLES / "bookinfo/local.yaml", directory)
    for file in directory.iterdir():
        file.chmod(0o644)  # modules are read-only
    mesh = Mesh(folder, directory, name="upstream")
    mesh.start(wait=60)
    yield mesh
    mesh.stop()


def test_every_workload_of_istios_own_manifests_is_ready(mesh):
    status = mesh.status()
    names = sorted(w["name"].rsplit("-", 1)[0] for w in status["workloads"])
    assert names == ["details-v1", "istio-ingressgateway", "productpage-v1", "ratings-v1", "reviews-v1", "reviews-v2", "reviews-v3"]
    assert all(w["ready"] for w in status["workloads"]), status["workloads"]
    assert not [message for message in status["messages"] if "Error" in message], status["messages"]


def test_the_page_has_its_details_and_the_reviews_of_each_version(mesh):
    seen = set()

    def page():
        code, body = mesh.get("/productpage")
        assert code == 200 and "William Shakespeare" in body and 'class="review"' in body and 'class="error"' not in body, body
        seen.update(version for version in ("v1", "v2", "v3") if f"answered by reviews-{version}" in body)
        return seen == {"v1", "v2", "v3"}
    until(page, 20, "pages with the reviews of three versions")


def ratings_of(mesh, pod):
    """What a pod of ratings answers: status and body. By its address, for the service has others."""
    address = next(w["ip"] for w in mesh.pods(pod) if w["ready"])
    out = mesh.exec("reviews-v2", "curl", "-s", "-w", "\n%{http_code}", f"http://{address}:9080/ratings/0").stdout
    body, _, status = out.rpartition("\n")
    return int(status), json.loads(body)


@pytest.mark.parametrize("ratings, database", [("bookinfo-ratings-v2-mysql.yaml", "bookinfo-mysql.yaml"),
                                               ("bookinfo-ratings-v2.yaml", "bookinfo-db.yaml")])
def test_ratings_of_istios_v2_depend_on_the_database_that_its_variables_name(mesh, ratings, database):
    """Through the mesh: a server that speaks first (MySQL), and one that answers (MongoDB)."""
    samples = upstream_samples()
    files = [mesh.directory / name for name in (ratings, database)]
    for file in files:
        shutil.copy(os.path.join(samples, "platform/kube", file.name), file)
        file.chmod(0o644)
    try:
        until(lambda: all(w["ready"] for w in mesh.pods("ratings-v2")) and len(mesh.pods("ratings-v2")) == 1, 30, "ratings v2 is ready")
        until(lambda: ratings_of(mesh, "ratings-v2") == (200, {"id": 0, "ratings": {"Reviewer1": 5, "Reviewer2": 4}}), 20, "there are ratings")
        files[1].unlink()
        error = {"error": "could not connect to ratings database"}
        until(lambda: ratings_of(mesh, "ratings-v2") == (500, error), 20, "without the database there are none")
    finally:
        for file in files:
            file.unlink(missing_ok=True)
    until(lambda: not mesh.pods("ratings-v2") and not mesh.pods("mysqldb") and not mesh.pods("mongodb"), 30, "both are gone")
