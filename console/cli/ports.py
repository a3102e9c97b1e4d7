"""Ports of this machine: which are free, and whether somebody answers on them."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from console.cli.exits import Stop

HOST = "127.0.0.1"


def console_port(wanted: int) -> int:
    """The console's port, checked to be free; ``Stop`` when it is not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((HOST, wanted))
        except OSError as problem:
            raise Stop(
                f"port {wanted} cannot be used: {problem.strerror}. Give another one: --port N (0: any)"
            ) from None
        return int(probe.getsockname()[1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(HOST, port), 1.0)
    except (TimeoutError, OSError):
        return False
    writer.close()
    return True


async def get(url: str) -> tuple[int, bytes]:
    """Status and body of a GET on this machine; 0 where nobody answers. Light: no HTTP client is loaded for it."""
    parts = urlsplit(url)
    try:
        return await asyncio.wait_for(_exchange(parts.hostname or HOST, parts.port or 80, parts.path or "/"), 2.0)
    except (TimeoutError, OSError, ValueError, IndexError):
        return 0, b""


async def _exchange(host: str, port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read(1 << 20)
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body
    finally:
        writer.close()
