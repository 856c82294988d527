"""docs/first-steps.md does what it says: its files are written and its commands typed, one after the other."""
import os
import re
import shlex
import subprocess

import pytest

from mesh import BIN, ROOT, TEST_UID, Mesh, leftovers, unprivileged, until

PAGE = (ROOT / "docs/first-steps.md").read_text()
# What the page says of a command; all others must end with 0.
SHOWS = {
    "http://web/BSD": ["The Regents of the University of California"],
    "http://web/old": ["301 http://web/GPL-3"],
    "http://web/GPL-3": ["RBAC: access denied"],
    "plait logs --mesh shop --denied web": ["web-readers", "policy.yaml:", "path must be /BSD"],
    "plait explain": ["forwarded"],
    "plait status": ["web-0", "customer-0"],
    "plait pc route": ["web"],
}


def steps():
    """("file", name, text) and ("command", line) in the order of the page."""
    for kind, text in re.findall(r"^```(yaml|console)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        if kind == "yaml":
            name, body = re.fullmatch(r"# (\S+)\n(.*)", text, re.DOTALL).groups()
            yield "file", name, body
        else:
            for line in text.splitlines():
                assert line.startswith("$ "), line
                yield "command", line[2:], None


@pytest.fixture
def person(folder):
    mesh = Mesh(folder, folder, name="shop")
    mesh.env["PATH"] = f"{BIN}:{mesh.env['PATH']}"
    shop = folder / "shop"
    shop.mkdir()
    if os.geteuid() == 0:
        os.chown(shop, TEST_UID, TEST_UID)
    yield mesh
    mesh.named("down", "--purge", check=False)
    assert not leftovers()


def test_the_page_does_what_it_says(person, folder):
    told = set()
    for kind, what, text in steps():
        if kind == "file":
            (folder / what).write_text(text)
            continue
        words = [word.replace("\\n", "\n") if "%{" not in word else word for word in shlex.split(what)]
        if words[:3] == ["plait", "demo", "tour"]:
            continue  # test_tour.py
        expected = [text for key, texts in SHOWS.items() if key in what for text in texts]
        told |= {key for key in SHOWS if key in what}
        def typed(words=words, expected=expected):
            result = subprocess.run(unprivileged(words), env=person.env, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                                    capture_output=True, timeout=90, check=False)
            assert result.returncode == 0, f"{what}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
            missing = [text for text in expected if text not in result.stdout]
            assert not missing, f"{what}: {missing}\n{result.stdout}\n{result.stderr}"
            return True
        # A file that was saved a moment ago may not be in force yet; what is started is started once.
        typed() if words[1] in ("up", "down") else until(typed, 5, what)
    assert told == set(SHOWS)
    assert person.named("status", check=False).returncode == 3
