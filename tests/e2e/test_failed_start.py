"""A mesh whose start fails, in a fixture say, is nobody's to stop afterwards: `Mesh.start` itself ends it."""
import pytest

import manifests as m
from mesh import Mesh, leftovers, until


def test_a_start_that_fails_ends_what_it_started_and_shows_the_logs(folder):
    directory = folder / "failed"
    directory.mkdir()
    m.write(directory / "told.yaml", m.deployment("told", ["sh", "-c", "echo said by the workload; exec sleep infinity"]))
    mesh = Mesh(folder, directory, name="failed")

    def status():
        until(lambda: "said by the workload" in mesh.tail(), 20, "the workload runs")
        raise RuntimeError("as nothing that is waited for")
    mesh.status = status
    with pytest.raises(RuntimeError) as failure:
        mesh.start()
    assert mesh.process.returncode in (0, 130), "it has ended in order: it was ready, or was interrupted before"
    assert not leftovers()
    [shown] = failure.value.__notes__
    assert "mode: rootless" in shown and "said by the workload" in shown, shown
