"""Where a client stands decides which endpoints it calls: by Nodes' labels, outlier detection and localityLbSetting."""
import collections
import json
import re

import pytest

import manifests as m
from manifests import APP
from mesh import Mesh, until

WEB = "outbound|8000||web.default.svc.cluster.local"
OUTLIER = {"consecutive5xxErrors": 1, "interval": "1s", "baseEjectionTime": "300s", "maxEjectionPercent": 100}


def node(name, region, zone):
    document = m.document("Node", name, None)
    document["metadata"]["labels"] = {"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone}
    return document


def on(name, deployment):
    deployment["spec"]["template"]["spec"]["nodeName"] = name
    return deployment


def web(version, name, *arguments):
    return on(name, m.deployment(f"web-{version}", [APP, "echo", "--port", "8000", "--version", version, *arguments],
                                 labels={"app": "web", "version": version}, account="web", ports=[8000],
                                 probe={"tcpSocket": {"port": 8000}, "periodSeconds": 1}))


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "localities"
    directory.mkdir()
    m.write(directory / "nodes.yaml", node("here", "east", "east-a"), node("there", "west", "west-a"))
    m.write(directory / "mesh.yaml", m.account("client"), m.account("web"), m.service("web", {"http": 8000}),
            on("here", m.deployment("client", [APP, "client"], account="client")))
    m.write(directory / "near.yaml", web("v1", "here"))
    m.write(directory / "far.yaml", web("v2", "there"))
    mesh = Mesh(folder, directory, name="localities")
    mesh.start()
    yield mesh
    mesh.stop()


def answers(mesh, count=30):
    """{version: answers} to the client."""
    out = mesh.exec("client", "curl", "-sS", "--max-time", "10", f"http://web:8000/[1-{count}]", check=False).stdout
    return collections.Counter(re.findall(r"^version: (\S+)", out, re.MULTILINE))


def only(mesh, version):
    until(lambda: set(answers(mesh)) == {version}, 15, f"{version} answers")
    assert answers(mesh) == {version: 30}


def rule(mesh, **policy):
    m.write(mesh.directory / "rule.yaml", m.destination_rule("web", {"host": "web", "trafficPolicy": policy}))


def test_without_a_rule_all_localities_answer(mesh):
    assert set(answers(mesh, 100)) == {"v1", "v2"}


def test_with_outlier_detection_the_near_one_answers_until_it_is_gone(mesh):
    rule(mesh, outlierDetection=OUTLIER)
    only(mesh, "v1")
    table = mesh.named("pc", "endpoint", "client", "--cluster", WEB, "-o", "wide").stdout.splitlines()
    assert table[0].split()[-3:] == ["LOCALITY", "PRIORITY", "WEIGHT"], table
    assert sorted(tuple(line.split()[-3:]) for line in table[1:]) == [("east/east-a", "0", "-"), ("west/west-a", "1", "-")], table
    near, far = (mesh.pods(f"web-{version}")[0]["name"] for version in ("v1", "v2"))
    assert near in mesh.named("explain", "client", "http://web:8000/").stdout
    (mesh.directory / "near.yaml").unlink()
    only(mesh, "v2")
    explained = mesh.named("explain", "client", "http://web:8000/").stdout
    assert far in explained and near not in explained
    m.write(mesh.directory / "near.yaml", web("v1", "here"))
    only(mesh, "v1")


def test_a_locality_that_fails_is_left_and_others_are_not(mesh):
    rule(mesh, outlierDetection=OUTLIER)
    m.write(mesh.directory / "near.yaml", web("v1", "here", "--fail-every", "1"))
    until(lambda: set(answers(mesh)) == {"v2"}, 20, "the far one answers when the near one fails")
    m.write(mesh.directory / "near.yaml", web("v1", "here"))
    only(mesh, "v1")


def test_a_node_that_moves_is_noticed(mesh):
    rule(mesh, outlierDetection=OUTLIER)
    only(mesh, "v1")
    m.write(mesh.directory / "nodes.yaml", node("here", "east", "east-a"), node("there", "east", "east-a"))
    until(lambda: set(answers(mesh)) == {"v1", "v2"}, 15, "both are near")
    m.write(mesh.directory / "nodes.yaml", node("here", "east", "east-a"), node("there", "west", "west-a"))
    only(mesh, "v1")


def test_shares_need_no_outlier_detection(mesh):
    rule(mesh, loadBalancer={"localityLbSetting": {"distribute": [{"from": "east/*", "to": {"west/*": 100}}]}})
    only(mesh, "v2")
    until(lambda: mesh.named("check", check=False).returncode == 0, 20, "all is well")
    [assignment] = json.loads(mesh.named("pc", "endpoint", "client", "--cluster", WEB, "-o", "json").stdout)
    [group] = assignment["endpoints"]
    assert group["locality"]["region"] == "west" and group["load_balancing_weight"] == 100
    (mesh.directory / "rule.yaml").unlink()
    until(lambda: set(answers(mesh)) == {"v1", "v2"}, 15, "without the rule both answer")
