import os
import pathlib
import tempfile

import pytest

from local_mesh import Local


@pytest.fixture(name="local")
def fixture_local():
    with tempfile.TemporaryDirectory(prefix="plait-local-", dir="/var/tmp") as path:
        os.chmod(path, 0o755)
        local = Local(pathlib.Path(path))
        yield local
        local.end()
        if os.geteuid() == 0:
            assert not local.leftovers()
