"""Many workloads at once. How many seconds and how much of the processor 100 of them take is measured by bench/run."""
import re

import manifests as m
from mesh import Mesh, leftovers, until

COUNT = 40


def test_forty_workloads_with_proxies_are_ready_within_fifteen_seconds(folder):
    directory = folder / "many"
    directory.mkdir()
    for n in range(COUNT):
        name = f"echo-{n}"
        m.write(directory / f"{name}.yaml", m.deployment(name, [m.APP, "echo", "--port", "8080"], ports=[8080], probe=m.http_probe(8080)),
                m.service(name, {"http": 8080}))
    mesh = Mesh(folder, directory, name="many")
    try:
        mesh.start(wait=60)
        said = until(lambda: re.search(rf"{COUNT} of {COUNT} workloads ready in (\d+) ms", mesh.output.read_text()), 5, "it is told")
        assert int(said[1]) <= 15_000
        report = mesh.load("echo-0", f"http://echo-{COUNT - 1}:8080/", "--count", "20")
        assert report["failed"] == 0, "who was ready last is known to all"
    finally:
        mesh.stop()
    assert not leftovers()
