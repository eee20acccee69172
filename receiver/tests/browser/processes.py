"""A receiver and a camera as processes, with keys, users and recordings in a temporary folder."""

import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

# A machine that does other things too is slow, and not wrong.
DEADLINE = 300
NAME, PASSWORD = "operator", "a password for tests"


def wait_for(what, condition, deadline=DEADLINE):
    """Polls until the condition gives something true, and returns that."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s for: {what}")
        time.sleep(0.05)


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


class Site:
    def __init__(self, clip):
        self.clip = clip
        self.dir = Path(tempfile.mkdtemp(prefix="cis-web-"))
        run("cis-receiver", "keys", "init", "--dir", self.dir, "--name", "localhost")
        run("cis-receiver", "keys", "add-camera", "--dir", self.dir, "gate-1")
        run("cis-receiver", "keys", "add-camera", "--dir", self.dir, "yard")
        run("cis-receiver", "users", "add", "--file", self.dir / "users.toml", NAME, input=f"{PASSWORD}\n", text=True)
        self.receiver = None
        self.cameras = {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quic, socket.socket() as http:
            quic.bind(("127.0.0.1", 0))
            http.bind(("127.0.0.1", 0))
            self.quic, self.http = quic.getsockname()[1], http.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for camera in list(self.cameras):
            self.stop_camera(camera)
        self.stop()
        shutil.rmtree(self.dir)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}"

    def start(self, more=""):
        (self.dir / "receiver.toml").write_text(f"""
[listen]
address = "127.0.0.1:{self.quic}"
certificate = "server.pem"
key = "server.key"
tokens = "tokens.toml"
[json]
output = "out.jsonl"
[rtsp]
enabled = false
[record]
folder = "recordings"
[web]
address = "127.0.0.1:{self.http}"
users = "users.toml"
{more}
""")
        self.log = self.dir / "receiver.log"
        command = ["cis-receiver", "--config", self.dir / "receiver.toml"]
        with self.log.open("w") as log:
            self.receiver = subprocess.Popen(command, stderr=log)
        wait_for("the receiver", lambda: "listening for cameras" in self.said() or self.receiver.poll() is not None)
        assert self.receiver.poll() is None, self.said()

    def said(self):
        return self.log.read_text()

    def stop(self):
        if self.receiver:
            self.receiver.send_signal(signal.SIGTERM)
            self.receiver.wait(DEADLINE)
            self.receiver = None

    def start_camera(self, name="gate-1"):
        text = (
            f"filesrc location={self.clip} ! qtdemux ! h264parse ! avdec_h264 ! clocksync ! videoconvert "
            f"! queue max-size-buffers=2 leaky=downstream ! cisencode input-size=256 bitrate=60 enhancement=on-request enhancement-bitrate=120 "
            f"! cisquicsink address=localhost port={self.quic} stream={name} ca-file={self.dir}/ca.pem token-file={self.dir}/{name}.token"
        )
        log = (self.dir / f"{name}.log").open("w")
        self.cameras[name] = subprocess.Popen(["gst-launch-1.0", "-q", "-e", *text.split()], stdout=log, stderr=log)

    def stop_camera(self, name="gate-1"):
        camera = self.cameras.pop(name)
        camera.send_signal(signal.SIGINT)
        try:
            camera.wait(20)
        except subprocess.TimeoutExpired:
            camera.kill()
            camera.wait()

    def lines(self, pattern):
        return re.findall(pattern, self.said())
