"""Connections of workloads that stay open while something changes around them."""
import contextlib
import select
import subprocess


class Talk:
    """A TCP connection of a workload to the service `talker` that stays open: a line in, a line out."""

    SCRIPT = r"""exec 3<>/dev/tcp/talker/7000 || exit 7
read -r -u 3 greeting || exit 8
echo "$greeting"
while read -r line; do echo "$line" >&3 || exit 9; read -r -u 3 answer || exit 9; echo "$answer"; done"""

    def __init__(self, mesh, workload):
        self.process = subprocess.Popen(mesh.command("exec", workload, "--", "bash", "-c", self.SCRIPT), env=mesh.env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1)
        assert self.line() == "hello"

    def line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        assert ready, "the connection says nothing"
        return self.process.stdout.readline().strip()

    def says(self, text):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
            return self.line()
        return ""

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
