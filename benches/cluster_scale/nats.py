"""As much of the NATS protocol as it takes to read streams: each message with the time at which it came.

The streams, not their subjects: a plain subscription sees also what the broker then refused to store.
"""

import json
import secrets
import socket
import threading
import time


class Listener:
    """Keeps the messages of some streams and when they came. The streams must be there."""

    def __init__(self, port, *streams):
        self.seen = []
        self.changed = threading.Condition()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")
        self.file.readline()
        hello = json.dumps({"verbose": False, "headers": True, "lang": "python", "version": "0", "protocol": 1})
        inbox = f"bench.{secrets.token_hex(8)}"
        self._send(f"CONNECT {hello}", f"SUB {inbox}.messages 1", f"SUB {inbox}.answers 2")
        for stream in streams:
            config = {"deliver_subject": f"{inbox}.messages", "deliver_policy": "all", "ack_policy": "none"}
            create = json.dumps({"stream_name": stream, "config": config})
            self._send(f"PUB $JS.API.CONSUMER.CREATE.{stream} {inbox}.answers {len(create)}", create)
        threading.Thread(target=self._read, name="nats", daemon=True).start()

    def _send(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def _read(self):
        while line := self.file.readline():
            words = line.decode().split()
            if words[0] == "PING":
                self._send("PONG")
            elif words[0] in ("MSG", "HMSG"):
                body = self.file.read(int(words[-1]) + 2)[:-2]
                now = time.monotonic()
                split = int(words[-2]) if words[0] == "HMSG" else 0
                if words[2] == "2":
                    if b'"error"' in body:
                        raise SystemExit(f"the broker refuses a consumer: {body.decode()}")
                    continue
                with self.changed:
                    self.seen.append((now, words[1], body[:split].decode(), body[split:]))
                    self.changed.notify_all()

    def wait(self, wanted, stalled=120):
        """Until so many messages have come; an error when none comes for `stalled` seconds."""
        with self.changed:
            while len(self.seen) < wanted:
                before = len(self.seen)
                if not self.changed.wait(stalled) and len(self.seen) == before:
                    raise SystemExit(f"{before} messages of {wanted}, then none for {stalled} s")
            return list(self.seen)
