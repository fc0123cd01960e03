"""A slow line: `slow_line.py HOST PORT ONE_WAY_MS MBIT` passes stdin and stdout to a TCP port and back, each way so much
later and at that rate, with a queue of 256 KiB before it. For ssh's ProxyCommand, where `tc netem` may not be used."""

import os
import queue
import socket
import sys
import threading
import time

QUEUE = 256 << 10


def carry(read, write, delay, rate):
    """From `read` to `write`, in order."""
    waiting = queue.Queue()

    def deliver():
        while True:
            due, chunk = waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                write(chunk)
            except OSError:
                os._exit(0)
            if not chunk:
                return

    threading.Thread(target=deliver, daemon=True).start()
    free_at = 0.0
    while True:
        try:
            chunk = read(4096)
        except OSError:
            chunk = b""
        now = time.monotonic()
        free_at = max(free_at, now) + len(chunk) / rate
        waiting.put((free_at + delay, chunk))
        if not chunk:
            return
        # The queue is full: whoever writes has to wait.
        time.sleep(max(0.0, free_at - now - QUEUE / rate))


def main():
    host, port, delay, mbit = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1e3, float(sys.argv[4])
    line = socket.create_connection((host, port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rate = mbit * 1e6 / 8

    def send(chunk):
        line.sendall(chunk) if chunk else line.shutdown(socket.SHUT_WR)

    def out(chunk):
        # Whatever ends on the other side ends here.
        os.write(1, chunk) if chunk else os._exit(0)

    there = threading.Thread(target=carry, args=(lambda size: os.read(0, size), send, delay, rate), daemon=True)
    there.start()
    carry(line.recv, out, delay, rate)
    time.sleep(2 * delay + 1)


main()
