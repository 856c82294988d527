"""Every command in every output format, as the tree of commands says which there are (`plait docs commands`)."""
import json
import re
import subprocess

import pytest
import yaml

from mesh import BIN, Mesh, until

FORMATS = ["table", "wide", "short", "json", "yaml", "name"]
# Of each command: its arguments, and the exit code that they give. A command that is not here fails the test.
POD = "productpage-v1"
NOBODY = ["--name", "nobody"]  # no mesh of this name runs
ARGUMENTS = {
    "proxy restart": [POD], "cert rotate": [],
    "status": [], "version": [], "doctor": [], "check": [], "proxy-status": [], "docs commands": [], "docs configuration": [],
    **{f"proxy-config {kind}": [POD] for kind in
       ("cluster", "listener", "route", "endpoint", "secret", "bootstrap", "all", "log")},
    "log": [POD],
    "logs": ["-c", "istio-proxy", POD],
    "explain": [POD, "details:9080", "GET", "/details/0"],
    "down": ["--purge", *NOBODY],
    "test": [],
    # A mesh of its own: what it finds is what it prints.
    "demo": ["--test", "--name", "formats", "--port", "0"],
    "demo tour": ["--yes"],
}
# What must stand in the output for people, whatever its form is.
SAYS = {"demo": ["traffic split", "rotation", "page"], "test": ["traffic split", "rotation"], "demo tour": ["6/6  Undo", "6 of 6 steps saw their effect"]}
# And, of the same commands, the lines of `-o name`.
CHECKS = [f"check/{name}" for name in ("mTLS", "traffic split", "authz", "retries", "metrics", "rotation")]
NAMES = {"test": CHECKS, "demo": [*CHECKS, "check/page"],
         "demo tour": ["step/the application", "step/edit a route", "step/make a mistake", "step/a denial", "step/explain and allow it", "step/undo"]}
SENTENCES = ("down", "proxy restart", "cert rotate")  # what they did, in a line
SEVERAL_ROWS = ("proxy-config route", "proxy-config bootstrap", "docs configuration")  # of each object
# What has no formats: streams of others, scripts and documents.
TEXTS = {
    "up": (["/tmp"], 1),
    "exec": ([POD, "--", "true"], 0),
    "run": (["--as", POD, "--", "true"], 0),
    "completion": (["bash"], 0), "docs markdown": (["configuration"], 0), "docs man": ([], 0),
}


@pytest.fixture(scope="module")
def used(bookinfo):
    until(lambda: bookinfo.get("/productpage")[0] == 200, 10, "the page is there")
    return bookinfo


def commands(mesh):
    return json.loads(mesh.plait("docs", "commands", "-o", "json").stdout)["commands"]


def line(mesh, command, arguments):
    named = [] if command["words"][0] in ("docs", "completion") or "--name" in arguments else ["--mesh", mesh.name]
    return [*command["words"], *named, *arguments]


def check_format(name, form, out):
    assert out.endswith("\n")
    if form in ("json", "yaml"):
        data = json.loads(out) if form == "json" else yaml.safe_load(out)
        assert data
        if name in SAYS:
            assert data["success"] is True, out
            parts = data["steps"] if "steps" in data else data["categories"][0]["checks"]
            assert [part["description"] for part in parts] == [one.partition("/")[2] for one in NAMES[name]]
            assert {part["result"] for part in parts} == {"success"}
    elif form == "name":
        assert all(re.fullmatch(r"[a-z]+/\S.*", one) for one in out.splitlines()), out
        assert out.splitlines() == NAMES.get(name, out.splitlines())
    else:
        assert not out.startswith(("{", "[{"))
        assert all(text in out for text in SAYS.get(name, [])), out


def check_forms_agree(name, outs):
    """What the forms of one answer have in common. Ages and counts may move between two runs, columns and rows do not."""
    if name in SENTENCES:
        return
    heads = {form: outs[form].splitlines()[0] for form in ("table", "wide", "short")}
    assert heads["short"] == heads["table"], heads
    assert name in SAYS or heads["wide"].split()[:1] == heads["table"].split()[:1], heads
    rows = [one for one in outs["table"].splitlines() if one]
    assert len(rows) > 1, "a heading alone says nothing"
    if heads["table"].isupper() and name not in (*SAYS, *SEVERAL_ROWS):
        assert len(outs["name"].splitlines()) == len(rows) - 1, outs["name"]


def test_every_command_has_every_format(used):
    problems = []
    for command in commands(used):
        name = " ".join(command["words"])
        if not command["renders"]:
            assert name in TEXTS, f"{name} takes no -o: say in TEXTS why"
            arguments, code = TEXTS[name]
            assert used.plait(*line(used, command, arguments), check=False).returncode == code, name
            continue
        assert name in ARGUMENTS, f"{name} is new: say in ARGUMENTS how to run it"
        outs = {}
        for form in FORMATS:
            result = used.plait(*line(used, command, ARGUMENTS[name]), "-o", form, check=False, timeout=120)
            outs[form] = result.stdout
            try:
                assert result.returncode == 0, result.stderr
                check_format(name, form, result.stdout)
                if form == FORMATS[-1]:
                    check_forms_agree(name, outs)
            except (AssertionError, IndexError, ValueError, yaml.YAMLError) as error:
                problems.append(f"{name} -o {form}: {error!r}\n{result.stdout[:400]}")
    assert not problems, "\n".join(problems)


def test_yaml_and_json_are_the_same_data(used):
    for verb in (["proxy-config", "cluster", POD], ["docs", "commands"], ["explain", POD, "details"]):
        named = [] if verb[0] == "docs" else ["--mesh", used.name]
        as_json, as_yaml = (used.plait(*verb, *named, "-o", form).stdout for form in ("json", "yaml"))
        assert json.loads(as_json) == yaml.safe_load(as_yaml), verb


def test_wide_shows_more_columns_and_name_is_a_line_each(used):
    table, wide, names = (used.plait("pc", "cluster", POD, "--mesh", used.name, "-o", form).stdout.splitlines()
                          for form in ("table", "wide", "name"))
    assert wide[0].startswith(table[0]) and len(wide[0]) > len(table[0])
    assert len(names) == len(table) - 1 and all(name.startswith("cluster/") for name in names)


def test_the_exit_code_does_not_depend_on_the_format(used, folder):
    nobody = Mesh(folder, folder, name="nobody")
    for form in FORMATS:
        assert nobody.named("status", "-o", form, check=False).returncode == 3
        assert used.plait("explain", "reviews-v1", "details:9080", "--mesh", used.name, "-o", form,
                          check=False).returncode == 1


def test_output_that_cannot_be_written_is_an_error(used):
    for words in (["pc", "all", POD, "-o", "json"], ["status"], ["logs", "-c", "istio-proxy", POD], ["docs", "man"], ["--help"]):
        named = [] if words[0] in ("docs", "--help") else ["--mesh", used.name]
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(used.run_as([str(BIN / "plait"), *words, *named]), env=used.env, stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=30, check=False)
        assert done.returncode == 1 and "cannot write the output: No space left on device" in done.stderr, (words, done)
