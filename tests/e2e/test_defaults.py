"""Where `plait up` differs from Istio in what nobody has written: it says so, as long as that is in force."""
import manifests as m
from mesh import Mesh, until


def test_up_and_status_tell_the_defaults_that_are_in_force_and_not_istios(folder):
    directory = folder / "defaults"
    directory.mkdir()
    m.write(directory / "mesh.yaml", m.deployment("web", [m.APP, "client"]))
    mesh = Mesh(folder, directory, name="defaults").start()
    told = lambda: [line.strip() for line in mesh.output.read_text().splitlines() if line.startswith("    ")]
    try:
        access_log, mtls = mesh.status()["defaults"]
        assert "proxies' logs" in access_log and "accessLogFile" in access_log
        assert "STRICT" in mtls and "PERMISSIVE" in mtls and "in namespace istio-system" in mtls
        assert access_log in told() and mtls in told()
        assert mesh.named("status").stdout.count("\ndefault ") == 2

        m.write(directory / "mtls.yaml", m.peer_authentication("PERMISSIVE", namespace="istio-system"))
        until(lambda: mesh.status()["defaults"] == [access_log], 5, "one is left")
        m.write(directory / "istio.yaml", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
                                           "data": {"mesh": "accessLogFile: /dev/stderr"}})
        until(lambda: mesh.status()["defaults"] == [], 5, "none is left")
        assert "\ndefault " not in mesh.named("status").stdout
        (directory / "mtls.yaml").unlink()
        until(lambda: told().count(mtls) == 2, 5, "it is told again")
        assert mesh.status()["defaults"] == [mtls] and told().count(access_log) == 1
    finally:
        mesh.stop()
