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
    address = [w["ip"] for w in mesh.pods(pod) if w["ready"]][0]
    out = mesh.exec("reviews-v2", "curl", "-s", "-w", "\n%{http_code}", f"http://{address}:9080/ratings/0").stdout
    body, _, status = out.rpartition("\n")
    return int(status), json.loads(body)


def one_is_ready(mesh, pod):
    pods = mesh.pods(pod)
    return len(pods) == 1 and pods[0]["ready"]


def add(mesh, *names):
    """Copies files of upstream's samples into the mesh's directory; returns the copies."""
    samples = upstream_samples()
    copies = [mesh.directory / os.path.basename(name) for name in names]
    for name, copy in zip(names, copies):
        shutil.copy(os.path.join(samples, name), copy)
        copy.chmod(0o644)
    return copies


@pytest.mark.parametrize("ratings, database", [("bookinfo-ratings-v2-mysql.yaml", "bookinfo-mysql.yaml"),
                                               ("bookinfo-ratings-v2.yaml", "bookinfo-db.yaml")])
def test_ratings_of_istios_v2_depend_on_the_database_that_its_variables_name(mesh, ratings, database):
    """Through the mesh: a server that speaks first (MySQL), and one that answers (MongoDB)."""
    files = add(mesh, f"platform/kube/{ratings}", f"platform/kube/{database}")
    try:
        until(lambda: one_is_ready(mesh, "ratings-v2"), 30, "ratings v2 is ready")
        until(lambda: ratings_of(mesh, "ratings-v2") == (200, {"id": 0, "ratings": {"Reviewer1": 5, "Reviewer2": 4}}), 20, "there are ratings")
        files[1].unlink()
        error = {"error": "could not connect to ratings database"}
        until(lambda: ratings_of(mesh, "ratings-v2") == (500, error), 20, "without the database there are none")
    finally:
        for file in files:
            file.unlink(missing_ok=True)
    until(lambda: not mesh.pods("ratings-v2") and not mesh.pods("mysqldb") and not mesh.pods("mongodb"), 30, "both are gone")


def test_stars_of_istios_mysql_need_the_password_of_its_manifest(mesh):
    """Upstream's account (root and the Secret's password) gives the page its stars; with another password ratings says why not."""
    ratings, *others = add(mesh, "platform/kube/bookinfo-ratings-v2-mysql.yaml", "platform/kube/bookinfo-mysql.yaml",
                           "networking/destination-rule-all.yaml", "networking/virtual-service-ratings-mysql.yaml")

    def alone(status):
        return one_is_ready(mesh, "ratings-v2") and ratings_of(mesh, "ratings-v2")[0] == status

    def pages_have(wanted):
        pages = [mesh.get("/productpage") for _ in range(5)]
        return all(code == 200 and "answered by reviews-v3" in body and wanted in body for code, body in pages)
    try:
        until(lambda: alone(200), 30, "ratings v2 has ratings")
        until(lambda: pages_have('aria-label="4 of 5 stars"'), 20, "the page has the stars of v3")
        text = ratings.read_text()
        assert text.count("value: password") == 1
        ratings.write_text(text.replace("value: password", "value: wrong"))
        until(lambda: alone(500), 30, "ratings v2 with the wrong password has none")
        assert ratings_of(mesh, "ratings-v2") == (500, {"error": "could not connect to ratings database"})
        until(lambda: pages_have("Ratings service is currently unavailable"), 20, "the page has no stars")
        log = mesh.named("logs", "ratings-v2-mysql").stdout
        assert "ratings: database mysqldb port 3306: error 1045 (28000): Access denied for user 'root'@'" in log, log
        assert "(using password: YES) (set MYSQL_DB_USER and MYSQL_DB_PASSWORD to an account of that server" in log, log
    finally:
        for file in (ratings, *others):
            file.unlink(missing_ok=True)
    until(lambda: not mesh.pods("ratings-v2") and not mesh.pods("mysqldb"), 30, "both are gone")
