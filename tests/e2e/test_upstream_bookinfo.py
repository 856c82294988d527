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
