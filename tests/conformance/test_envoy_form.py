"""Each configuration that plaitd makes for a stock Envoy is one that Envoy takes."""
import os
import pathlib
import shutil
import subprocess
import sysconfig

import pytest


def envoy_binary():
    installed = pathlib.Path(sysconfig.get_paths()["purelib"]) / "envoy" / "_bin" / "envoy"
    return os.environ.get("PLAIT_ENVOY") or shutil.which("envoy") or str(installed)


@pytest.mark.parametrize("name", ["web", "client", "bookinfo", "gateway", "gateway-behind-proxies"])
def test_envoy_takes_it(bootstraps, name):
    file = bootstraps / f"{name}.pb"
    assert file.stat().st_size > 1000
    result = subprocess.run([envoy_binary(), "--mode", "validate", "-c", str(file), "-l", "warning"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
