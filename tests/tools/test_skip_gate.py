"""What tools/run_e2e does with a test that is skipped: it fails the run unless tests/skips gives a reason, and what needs no
privilege may not stand there."""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(name="gate", scope="module")
def fixture_gate():
    sys.path.insert(0, str(TOOLS))
    loader = importlib.machinery.SourceFileLoader("run_e2e", str(TOOLS / "run_e2e"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_e2e", loader))
    loader.exec_module(module)
    yield module
    sys.path.remove(str(TOOLS))


def test_a_skipped_test_without_a_reason_fails_the_run(tmp_path):
    test = tmp_path / "test_skipped.py"
    test.write_text("import pytest\n\ndef test_that_runs():\n    pass\n\n@pytest.mark.skip(reason='no time')\ndef test_that_does_not():\n    pass\n")
    run = [sys.executable, TOOLS / "run_e2e", tmp_path, "--stage", "gate", "--results", tmp_path, "--", "-p", "no:cacheprovider", test]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "skipped, and tests/skips gives no reason" in done.stdout, done.stdout
    assert "gate: 1 passed, 1 failed, 0 skipped" in done.stdout
    test.write_text("def test_that_runs():\n    pass\n")
    assert subprocess.run(run, capture_output=True, text=True, timeout=60, check=False).returncode == 0


def test_reasons_are_for_a_test_or_for_a_parameter_of_a_file(gate):
    allowed = {"e2e.test_a.test_alone", "e2e.test_b[root]"}
    for name in ("e2e.test_a.test_alone", "e2e.test_b.test_x[root]", "e2e.test_b.test_x[1-root]"):
        assert gate.may_be_skipped(name, allowed), name
    for name in ("e2e.test_a.test_other", "e2e.test_a.test_other[root]", "e2e.test_b.test_x", "e2e.test_b.test_x[user]", "e2e.test_c.test_x[root]"):
        assert not gate.may_be_skipped(name, allowed), name


def test_only_what_needs_root_may_have_a_reason(gate):
    known = set(gate.need_root())
    assert gate.allowed_skips() <= known
    assert not {name for name in known if "rootless" in name.rpartition(".")[2] and "[" not in name}
