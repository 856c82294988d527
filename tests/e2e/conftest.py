import os
import pathlib
import tempfile

import pytest

from load import TOLD
from mesh import TEST_UID, Mesh, copy_sample, leftovers


@pytest.fixture(scope="module")
def folder():
    """A folder that the test user can reach; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="plait-e2e-") as path:
        os.chmod(path, 0o755)
        if os.geteuid() == 0:
            os.chown(path, TEST_UID, TEST_UID)
        yield pathlib.Path(path)


def pytest_terminal_summary(terminalreporter):
    """What the loads were like that tests were judged by: a figure that gets worse is seen before it fails."""
    if TOLD:
        terminalreporter.section("loads")
        for line in TOLD:
            terminalreporter.write_line(line)


def pytest_generate_tests(metafunc):
    if "concurrency" in metafunc.fixturenames:
        metafunc.parametrize("concurrency", [1, 2], scope="module")


@pytest.fixture(scope="module")
def bookinfo(folder):
    """bookinfo in a mesh, with a directory of its own that tests may edit."""
    mesh = Mesh(folder, copy_sample(folder))
    mesh.start()
    yield mesh
    mesh.stop()
    assert not leftovers()
