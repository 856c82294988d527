"""Results of a test stage: one JSON file a stage, which tools/summary adds up.

    {"stage": "units", "passed": 120, "failed": 1, "skipped": 0, "seconds": 12.5, "failures": ["core_io: Loop.X"],
     "skips": [], "second_run": []}
"""
import json
import pathlib
import xml.etree.ElementTree as ElementTree


def reason_of(case):
    """What a skipped test says of itself: pytest in one line, GoogleTest with the place in a line before."""
    skipped = case.find("skipped")
    lines = (skipped.get("message") or "").splitlines() if skipped is not None else []
    return lines[-1] if lines else ""


class Results:
    def __init__(self, stage):
        self.stage = stage
        self.passed = self.failed = self.skipped = 0
        self.seconds = 0.0
        self.failures = []
        self.skips = []
        self.second_run = []  # names of those that failed, and passed when they were run once more

    def add(self, name, outcome, detail=""):
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome == "failed":
            self.failures.append(f"{name}: {detail}" if detail else name)
        elif outcome == "skipped":
            self.skips.append(f"{name}: {detail}" if detail else name)

    # GoogleTest's and pytest's XML have the same shape. Returns the number of cases read.
    def add_junit(self, prefix, path):
        count = 0
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            count += 1
            name = f"{prefix}{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                self.add(name, "failed")
            elif case.find("skipped") is not None or case.get("status") == "notrun" or case.get("result") == "skipped":
                self.add(name, "skipped", reason_of(case))
            else:
                self.add(name, "passed")
        return count

    def write(self, folder):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.stage}.json").write_text(json.dumps(vars(self), indent=1))

    def line(self):
        again = f" ({len(self.second_run)} of them only at the second run)" if self.second_run else ""
        return f"{self.stage}: {self.passed} passed{again}, {self.failed} failed, {self.skipped} skipped in {self.seconds:.0f} s"
