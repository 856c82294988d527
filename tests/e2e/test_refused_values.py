"""A value that a proxy would refuse its listeners for is told, and policies that come later are in force all the same."""
import pytest

import manifests as m
from mesh import Mesh, until

APP = m.APP
CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    %s
"""
NOWHERE = "accessLogFile: /nowhere/x.log"


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "refused"
    directory.mkdir()
    (directory / "istio.yaml").write_text(CONFIG % NOWHERE)
    m.write(directory / "mesh.yaml",
            m.deployment("echo", [APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000)),
            m.service("echo", {"http": 8000}),
            m.deployment("client", [APP, "client"]))
    mesh = Mesh(folder, directory, name="refused").start()
    yield mesh
    mesh.stop()


def answered(mesh):
    return next(iter(mesh.load("client", "http://echo:8000/", "--count", "1")["status"]), None)


def denied_while(mesh, spec):
    """Whether a DENY policy comes into force."""
    file = mesh.directory / "deny.yaml"
    until(lambda: answered(mesh) == "200", 10, "nothing denies")
    m.write(file, m.authorization("deny", spec))
    until(lambda: answered(mesh) == "403", 10, "the policy denies")
    file.unlink()
    until(lambda: answered(mesh) == "200", 10, "nothing denies any more")


DENY = {"selector": {"matchLabels": {"app": "echo"}}, "action": "DENY", "rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}


def test_an_access_log_that_cannot_be_opened_keeps_no_policy_out_of_force(mesh):
    mesh.logged("echo", "access log '/nowhere/x.log' cannot be opened: No such file or directory; its lines are lost")
    assert "server.access_logs_not_open: 1" in mesh.admin("echo", "/stats")
    denied_while(mesh, DENY)


def test_what_a_proxy_refuses_is_told_until_it_is_mended(mesh):
    """A file that only the proxies could have: the mesh is not well while they refuse what names it."""
    file = mesh.directory / "rule.yaml"
    m.write(file, m.destination_rule("echo", {"host": "echo", "trafficPolicy": {"tls": {"mode": "SIMPLE", "caCertificates": "/nowhere/ca.pem"}}}))
    refused = lambda: [text for text in mesh.status()["messages"] if "proxies refuse envoy.config.cluster.v3.Cluster: " in text]
    [told] = until(refused, 10, "it is told")
    assert told.startswith("Error") and "/nowhere/ca.pem" in told and "later changes of it are not in force there" in told
    file.unlink()
    until(lambda: not refused(), 10, "it is mended")


@pytest.mark.parametrize("config, told", [
    ("accessLogFormat: '%FOO%'", "istio.yaml:6:22: ConfigMap istio-system/istio: mesh configuration: accessLogFormat: format operator '%FOO%': not known"),
    ("connectTimeout: 0s", "istio.yaml:6:21: ConfigMap istio-system/istio: mesh configuration: connectTimeout must be above 0"),
    ("meshMTLS: {ecdhCurves: [FOO]}", 'istio.yaml:6:29: ConfigMap istio-system/istio: mesh configuration: "FOO" is no key exchange group'),
    ("defaultConfig: {concurrency: 99999}", "istio.yaml:6:34: ConfigMap istio-system/istio: mesh configuration: concurrency 99999 is outside 0..64"),
], ids=["format", "timeout", "curves", "concurrency"])
def test_a_value_of_the_mesh_configuration_that_proxies_refuse_keeps_no_policy_out_of_force(mesh, config, told):
    file = mesh.directory / "istio.yaml"
    file.write_text(CONFIG % config)
    try:
        until(lambda: [line for line in mesh.status()["messages"] if told in line], 5, f"{told} is told")
        denied_while(mesh, DENY)
    finally:
        file.write_text(CONFIG % NOWHERE)
    until(lambda: not [line for line in mesh.status()["messages"] if "istio.yaml" in line and "mended" not in line], 5, "nothing is wrong")


def test_a_path_template_that_is_too_large_for_proxies_closes_its_workloads(mesh):
    until(lambda: answered(mesh) == "200", 10, "nothing denies")
    file = mesh.directory / "large.yaml"
    m.write(file, m.authorization("large", {**DENY, "rules": [{"to": [{"operation": {"paths": ["/{*}" * 2000]}}]}]}))
    try:
        until(lambda: answered(mesh) == "403", 10, "the policy denies all")
        assert [line for line in mesh.status()["messages"] if "AuthorizationPolicy default/large: the path template" in line and "too large" in line]
    finally:
        file.unlink()
    until(lambda: answered(mesh) == "200", 10, "nothing denies any more")


def test_tables_of_consistent_hashing_have_envoys_bounds(mesh):
    file = mesh.directory / "hash.yaml"
    hashed = lambda how: m.destination_rule("hash", {"host": "echo", "trafficPolicy": {"loadBalancer": {"consistentHash": {"useSourceIp": True, **how}}}})
    try:
        for how, told in (({"maglev": {"tableSize": 18446744073709551615}}, "the table size 18446744073709551615 is above 5000011"),
                          ({"minimumRingSize": 999999999}, "the ring size 999999999 is above 8388608")):
            m.write(file, hashed(how))
            until(lambda: [line for line in mesh.status()["messages"] if "DestinationRule default/hash: " + told in line], 5, f"{told} is told")
            denied_while(mesh, DENY)
    finally:
        file.unlink()


def test_tls_of_a_rule_that_cannot_be_leaves_no_plaintext(mesh):
    """As upstream's DestinationRule of an egress gateway, at a sidecar: Istio answers 503 while the credential is missing."""
    until(lambda: answered(mesh) == "200", 10, "nothing is wrong")
    file = mesh.directory / "unusable.yaml"
    m.write(file, m.destination_rule("unusable", {"host": "echo", "trafficPolicy": {"tls": {
        "mode": "MUTUAL", "credentialName": "client-credential"}}}))
    rule = "DestinationRule default/unusable"
    try:
        until(lambda: answered(mesh) == "503", 10, "nothing is sent")
        explained = mesh.named("explain", "client", "echo", "GET", "http://echo:8000/", check=False).stdout
        assert rule in explained and "(invalid TLS: nothing is sent)" in explained, explained
        assert "503 UH no_healthy_upstream{invalid_policy[default/unusable]-kind[DestinationRule]}" in explained, explained
        assert [line for line in mesh.status()["messages"] if rule in line and "nothing is sent (503)" in line]
    finally:
        file.unlink()
    until(lambda: answered(mesh) == "200", 10, "the rule is gone")
