"""The end of a plait-proxy: SIGTERM lets requests in flight end, closes what is idle and refuses what is new."""
import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import string
import subprocess
import time

import pytest

HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(os.environ.get("PLAIT_BIN", HERE.parent.parent / "build/release/bin"))
REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone"
DRAIN_SECONDS = 3


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Backend:
    """Answers when `answer` is set; tells how many requests it has seen."""

    def __init__(self):
        self.answer = asyncio.Event()
        self.seen = asyncio.Semaphore(0)

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.seen.release()
                await self.answer.wait()
                writer.write(ANSWER)
                await writer.drain()
        writer.close()


async def connected(port):
    end = time.monotonic() + 20
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            assert time.monotonic() < end, "the proxy does not listen"
            await asyncio.sleep(0.02)


async def refused(port):
    """True once a new connection is refused; one that was in the backlog as the socket closed is reset."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # before asyncio had looked at it
            pass
        await asyncio.sleep(0.02)
    return False


@contextlib.asynccontextmanager
async def proxy(tmp_path, concurrency):
    """(process, its port, the backend) with one request in flight and one idle connection."""
    backend, port = Backend(), free_port()
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    config = tmp_path / "proxy.yaml"
    config.write_text(string.Template((HERE / "h2spec.yaml").read_text().replace("HTTP2", "AUTO")).substitute(
        LISTEN=port, BACKEND=server.sockets[0].getsockname()[1]))
    process = subprocess.Popen([BIN / "plait-proxy", "-c", config, "--concurrency", str(concurrency), "--drain-time-s", str(DRAIN_SECONDS),
                                "--log-level", "warning"])
    try:
        busy, idle = await connected(port), await connected(port)
        backend.answer.set()
        idle[1].write(REQUEST)
        assert (await idle[0].readuntil(b"done")).startswith(b"HTTP/1.1 200")
        backend.answer.clear()
        await backend.seen.acquire()
        busy[1].write(REQUEST)
        await backend.seen.acquire()
        yield process, port, backend, busy[0], idle[0]
    finally:
        process.kill()
        process.wait()
        server.close()


async def exit_code(process, seconds):
    return await asyncio.wait_for(asyncio.to_thread(process.wait), seconds)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_requests_in_flight_end_and_new_connections_are_refused(tmp_path, concurrency):
    async def run():
        async with proxy(tmp_path, concurrency) as (process, port, backend, busy, idle):
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(idle.read(), 2) == b"", "an idle connection is closed"
            assert await refused(port)
            assert process.poll() is None, "it waits for the request in flight"
            backend.answer.set()
            answer = await asyncio.wait_for(busy.read(), 2)
            assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower() and answer.endswith(b"done")
            assert await exit_code(process, 2) == 0
    asyncio.run(run())


def test_a_request_whose_head_has_begun_is_answered(tmp_path):
    async def run():
        async with proxy(tmp_path, 1) as (process, port, backend, _, idle):
            reader, writer = await connected(port)
            backend.answer.set()
            writer.write(REQUEST)
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
            writer.write(b"POST /p HTTP/1.1\r\nhost: a\r\nContent-Le")
            await writer.drain()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(idle.read(), 2) == b"", "an idle connection is closed"
            writer.write(b"ngth: 2\r\n\r\nab")
            answer = await asyncio.wait_for(reader.read(), 2)
            assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower() and answer.endswith(b"done")
    asyncio.run(run())


def test_what_does_not_end_is_closed_after_the_drain_time(tmp_path):
    async def run():
        async with proxy(tmp_path, 1) as (process, _, _, busy, _):
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(busy.read(), DRAIN_SECONDS + 5) == b""
            assert await exit_code(process, 2) == 0
            assert DRAIN_SECONDS - 0.5 < time.monotonic() - begin < DRAIN_SECONDS + 2
    asyncio.run(run())
