"""Every command in every output format, as the tree of commands says which there are (`plait docs commands`)."""
import json
import re

import pytest
import yaml

from mesh import Mesh, until

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
    # Its output is that of `plait test`; a name that is taken is the answer no.
    "demo": ["--test"],
    "demo tour": ["--yes"],
}
REFUSED = {"demo"}
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


def check_format(form, out):
    assert out.endswith("\n")
    if form == "json":
        assert json.loads(out)
    elif form == "yaml":
        assert yaml.safe_load(out)
    elif form == "name":
        assert all(re.fullmatch(r"[a-z]+/\S.*", name) for name in out.splitlines()), out
    else:
        assert not out.startswith(("{", "[{"))


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
        for form in FORMATS:
            result = used.plait(*line(used, command, ARGUMENTS[name]), "-o", form, check=False, timeout=120)
            try:
                assert result.returncode == (1 if name in REFUSED else 0), result.stderr
                if name not in REFUSED:
                    check_format(form, result.stdout)
            except (AssertionError, ValueError, yaml.YAMLError) as error:
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
