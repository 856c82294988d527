"""A client in a workload that tells of each of its failures when it began and when it ended: the load generator counts many
more, but not when. It asks on kept connections and on new ones, and never tries again."""
import contextlib
import json
import subprocess

# Both ends of a failure are told by one clock of one machine. What is left: the other side of a connection learns that it has
# ended when it next runs.
LATE = 0.1

CLIENT = r"""
import http.client, json, select, sys, threading, time, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
asked, failures, ended = [0, 0], [], threading.Event()
def ask(number, fresh):
    connection = None
    ended.wait(number * 0.004)  # not all at once
    while not ended.is_set():
        if connection and (fresh or connection.sock is None or select.select([connection.sock], [], [], 0)[0]):
            connection.close()  # it has ended between two requests
            connection = None
        begin = time.time()
        try:
            connection = connection or http.client.HTTPConnection(url.netloc, timeout=10)
            connection.request("GET", url.path)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failures.append([begin, time.time(), str(answer.status)])
        except (OSError, http.client.HTTPException) as error:
            failures.append([begin, time.time(), repr(error)])
            connection.close()
            connection = None
        asked[fresh] += 1
        ended.wait(0.04)
threads = [threading.Thread(target=ask, args=(number, number >= 8)) for number in range(10)]
for thread in threads:
    thread.start()
print("asking", flush=True)
sys.stdin.read()
ended.set()
for thread in threads:
    thread.join()
print(json.dumps({"kept": asked[0], "new": asked[1], "failures": failures}))
"""


@contextlib.contextmanager
def asking(mesh, workload, url):
    """Yields a dict that holds afterwards what was asked and the failures: [begin, end, reason]."""
    process = subprocess.Popen(mesh.command("exec", workload, "--", "python3", "-c", CLIENT, url), env=mesh.env, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    report = {}
    try:
        assert process.stdout.readline() == "asking\n", process.communicate()
        yield report
    finally:
        out, err = process.communicate("", timeout=30)
    report.update(json.loads(out) if out.strip() else {"broken": err})


def failed_only_between(report, first, last):
    """Nothing that began after `last`, and nothing that had ended before `first`."""
    assert report.get("kept", 0) > 100 and report["new"] > 20, report
    others = [(begin - first, end - first, why) for begin, end, why in report["failures"] if begin > last + LATE or end < first]
    assert not others, (f"beside what happened in 0 to {last - first:.3f} s", others)
