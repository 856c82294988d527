"""The productpage in a real browser (Debian's chromium, driven by playwright-core), through the gateway of the mesh.

What a visitor does there stands in tests/browser/productpage.cjs.
"""
import json
import os
import shutil
import subprocess

import pytest

from mesh import ROOT, until

SCRIPT = ROOT / "tests/browser/productpage.cjs"


@pytest.fixture(scope="module")
def visit(bookinfo):
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: tools/install_packages installs it"
    modules = subprocess.run([ROOT / "tools/node_env"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def run(what, count=0):
        """{colour: visits} of the stars that were seen. A new visitor each time; what is not as it should be fails here."""
        done = subprocess.run(["node", SCRIPT, what, bookinfo.status()["url"], str(count)], text=True, capture_output=True, timeout=120,
                              check=False, env={**os.environ, "NODE_PATH": modules, "CHROMIUM": chromium})
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)
    return run


def test_the_page_shows_book_details_and_reviews(visit):
    visit("reads")


def test_a_user_signs_in_sees_black_stars_and_signs_out(visit):
    assert visit("signs-in") == {"black": 10}


def test_the_stars_follow_a_change_of_the_split(visit, bookinfo):
    file = bookinfo.directory / "reviews-split.yaml"
    before = file.read_text()
    for weights, colour in ((("0", "100"), "red"), (("100", "0"), "black")):
        file.write_text(before.replace("weight: 80", f"weight: {weights[0]}").replace("weight: 20", f"weight: {weights[1]}"))
        until(lambda: visit("counts", 5) == {colour: 5}, 20, f"all stars are {colour}")
    file.write_text(before)
    until(lambda: set(visit("counts", 30)) == {"black", "red"}, 30, "the stars are of both colours again")
