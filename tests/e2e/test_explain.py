"""`plait explain`: what it says is what happens, live and from a directory."""
import json

import pytest

from mesh import SAMPLES, Mesh, until


@pytest.fixture(scope="module")
def used(bookinfo):
    until(lambda: bookinfo.get("/productpage")[0] == 200, 10, "the page is there")
    return bookinfo


def explain(mesh, *arguments, code=0):
    result = mesh.named("explain", *arguments, "-o", "json", check=False)
    assert result.returncode == code, result.stdout + result.stderr
    return json.loads(result.stdout)


def steps(answer, name):
    return [step for step in answer["steps"] if step["step"] == name]


def test_a_request_is_followed_from_the_client_to_the_application(used):
    answer = explain(used, "productpage-v1", "reviews", "GET", "/reviews/0")
    assert answer["forwarded"] and [step["passes"] for step in answer["steps"]].count(False) == 0
    [route] = steps(answer, "route")[:1]
    assert route["decidedBy"].startswith("VirtualService default/reviews (") and "reviews-split.yaml:" in route["decidedBy"]
    assert "(80 %)" in route["text"] and "(20 %)" in route["text"]
    assert "spiffe://cluster.local/ns/default/sa/bookinfo-reviews" in steps(answer, "tls")[0]["text"]
    assert "STRICT" in steps(answer, "admission")[0]["text"]
    assert steps(answer, "application")


def test_a_denial_is_explained_as_it_happens(used):
    assert used.exec("reviews-v1", "curl", "-s", "http://details:9080/details/0").stdout == "RBAC: access denied"
    answer = explain(used, "reviews-v1", "details:9080", "GET", "/details/0", code=1)
    assert answer["verdict"]["status"] == 403
    assert answer["verdict"]["details"] == "rbac_access_denied_matched_policy[none]"
    [miss] = steps(answer, "authorization")[-1]["misses"]
    assert "AuthorizationPolicy default/details-viewer" in miss and "policy.yaml:" in miss
    assert "principal must be spiffe://cluster.local/ns/default/sa/bookinfo-productpage" in miss
    assert miss.endswith("but is spiffe://cluster.local/ns/default/sa/bookinfo-reviews")
    # Another field of the same rule.
    [miss] = steps(explain(used, "productpage-v1", "details", "POST", "/details/0", code=1), "authorization")[-1]["misses"]
    assert miss.endswith("method must be GET, but is POST")


def test_what_has_no_route_no_endpoint_or_no_place_in_the_mesh(used):
    outside = explain(used, "productpage-v1", "example.com", "GET", "http://example.com/")
    assert "none of the mesh" in steps(outside, "destination")[0]["text"]
    assert used.named("explain", "productpage-v1", "10.96.255.254", check=False).returncode in (0, 1)
    unknown = used.named("explain", "nobody", "reviews", check=False)
    assert unknown.returncode == 1 and "there is no workload" in unknown.stderr and "try:" in unknown.stderr


def test_the_gateway_explains_what_a_browser_asks(used):
    answer = explain(used, "istio-ingressgateway.istio-system", "localhost", "GET", "/productpage")
    assert "productpage" in steps(answer, "endpoint")[0]["text"] and answer["forwarded"]


def test_the_edit_of_a_policy_changes_the_answer(used):
    policy = used.directory / "policy.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("sa/bookinfo-productpage", "sa/bookinfo-reviews", 1))
    try:
        until(lambda: explain(used, "reviews-v1", "details:9080", "/details/0")["forwarded"], 10, "it is let in")
    finally:
        policy.write_text(text)
    until(lambda: explain(used, "reviews-v1", "details:9080", "/details/0", code=1), 10, "it is denied again")


def test_a_directory_that_nobody_runs_gives_the_same_answers(used, folder):
    nobody = Mesh(folder, folder, name="nobody")
    for question, code in ((["productpage-v1", "reviews", "GET", "/reviews/0"], 0),
                           (["reviews-v1", "details:9080", "GET", "/details/0"], 1)):
        live = explain(used, *question, code=code)
        saved = explain(nobody, "-f", str(SAMPLES / "bookinfo"), *question, code=code)
        assert [(s["step"], s["passes"]) for s in live["steps"]] == [(s["step"], s["passes"]) for s in saved["steps"]]
        assert live["verdict"] == saved["verdict"]
    missing = nobody.named("explain", "-f", str(SAMPLES / "bookinfo"), "nobody", "reviews", check=False)
    assert missing.returncode == 1 and "there is no workload" in missing.stderr
    assert nobody.named("explain", "-f", "/nowhere", "a", "b", check=False).returncode == 2
