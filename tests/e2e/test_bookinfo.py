"""What a person sees first: the page through the gateway, versions, users, live edits."""
import re

import pytest

from mesh import until


pytestmark = pytest.mark.short


def stars(page):
    match = re.search(r'class="stars (black|red)"', page)
    return match[1] if match else "none"


def test_the_page_shows_details_and_reviews(bookinfo):
    status, page = bookinfo.get("/productpage")
    assert status == 200
    assert "William Shakespeare" in page and "answered by reviews-v" in page


def test_the_api_of_upstream_is_there(bookinfo):
    assert bookinfo.get("/api/v1/products")[0] == 200
    status, body = bookinfo.get("/api/v1/products/0/reviews")
    assert status == 200 and '"podname"' in body
    # productpage is no caller that the policy of ratings lets in
    assert bookinfo.get("/api/v1/products/0/ratings")[1] == "RBAC: access denied"


def test_a_path_that_no_route_names_is_not_found(bookinfo):
    assert bookinfo.get("/nowhere")[0] == 404


def test_a_signed_in_user_is_sent_where_the_header_route_says(bookinfo):
    cookie = {"Cookie": "session=amFzb24"}  # jason
    assert {stars(bookinfo.get("/productpage", cookie)[1]) for _ in range(20)} == {"black"}


def test_an_edit_is_live_without_a_restart(bookinfo):
    file = bookinfo.directory / "reviews-split.yaml"
    before = file.read_text()
    file.write_text(before.replace("weight: 80", "weight: 0").replace("weight: 20", "weight: 100"))
    until(lambda: {stars(bookinfo.get("/productpage")[1]) for _ in range(10)} == {"red"}, 5, "all stars are red")
    file.write_text(before)
    until(lambda: "black" in {stars(bookinfo.get("/productpage")[1]) for _ in range(10)}, 5, "black stars are back")


def test_replicas_follow_the_file(bookinfo):
    file = bookinfo.directory / "bookinfo.yaml"
    before = file.read_text()
    at = before.index("name: details-v1")
    file.write_text(before[:at] + before[at:].replace("replicas: 1", "replicas: 3", 1))
    until(lambda: len([p for p in bookinfo.pods("details-v1") if p["ready"]]) == 3, 10, "three pods of details")
    file.write_text(before)
    until(lambda: len(bookinfo.pods("details-v1")) == 1, 10, "one pod of details")
