"""The productpage in a real browser (Debian's chromium), through the gateway of the mesh."""
import collections
import contextlib
import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from mesh import until

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM, "chromium is missing: tools/install_packages installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, bookinfo):
    """A new visitor on the productpage. Whatever the page complains of is a failure."""
    complaints = []
    with contextlib.closing(browser.new_context(base_url=bookinfo.status()["url"])) as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
        page.goto("/productpage")
        yield page
        if folder := os.environ.get("PLAIT_SCREENSHOTS"):
            page.screenshot(path=os.path.join(folder, f"{bookinfo.name}-productpage.png"), full_page=True)
    assert not complaints


def stars(page):
    """The colour of the stars that a person sees: "black", "red", or "none"."""
    if page.locator(".stars").count() == 0:
        return "none"
    colour = page.locator(".stars span:not(.off)").first.evaluate("star => getComputedStyle(star).color")
    red, green, blue = (int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    return "red" if red > 2 * max(green, blue, 1) else "black"


def visits(page, count):
    seen = collections.Counter()
    for _ in range(count):
        page.reload()
        seen[stars(page)] += 1
    return seen


def test_the_page_shows_book_details_and_reviews(page):
    assert page.title() == "Bookinfo"
    assert page.get_by_role("heading", name="The Comedy of Errors").is_visible()
    assert page.get_by_text("William Shakespeare").is_visible()
    assert page.locator(".review").count() == 2
    assert page.locator("#reviews-pod").inner_text().startswith("answered by reviews-v")
    # Nothing runs out of the window of a telephone.
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_user_signs_in_sees_black_stars_and_signs_out(page):
    page.get_by_label("User").fill("jason")
    page.get_by_label("Password").fill("any")
    page.get_by_role("button", name="Sign in").click()
    assert page.locator("#user").inner_text() == "jason"
    assert visits(page, 10) == {"black": 10}
    page.get_by_role("link", name="sign out").click()
    assert page.locator("#user").count() == 0


def test_the_stars_follow_a_change_of_the_split(page, bookinfo):
    file = bookinfo.directory / "reviews-split.yaml"
    before = file.read_text()
    file.write_text(before.replace("weight: 80", "weight: 0").replace("weight: 20", "weight: 100"))
    until(lambda: visits(page, 5) == {"red": 5}, 10, "all stars are red")
    file.write_text(before.replace("weight: 80", "weight: 100").replace("weight: 20", "weight: 0"))
    until(lambda: visits(page, 5) == {"black": 5}, 10, "all stars are black")
    file.write_text(before)
