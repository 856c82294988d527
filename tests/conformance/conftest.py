"""What plaitd sends to stock Envoys, for the tests that compare it."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("PLAIT_BIN", ROOT / "build/release/bin"))


@pytest.fixture(scope="session")
def bootstraps(tmp_path_factory):
    """The translators' output for several proxies and meshes, written by their unit test."""
    folder = tmp_path_factory.mktemp("envoy-form")
    subprocess.run([str(BIN / "control_translate_test"), "--gtest_filter=EnvoyFormBootstrap.*"], check=True, capture_output=True,
                   env={**os.environ, "PLAIT_WRITE_ENVOY_FORM": str(folder)})
    return folder
