"""The processes at the two ends: a camera pipeline of GStreamer and `cis-receiver`, and the lines that come out."""

import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from . import source
from .network import RECEIVER

PORT = 4443
# How long anything may take before a run counts as hung.
DEADLINE = 180.0


class Failed(Exception):
    """A process did what it must not."""


def wait_for(what, condition, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"waited {deadline:.0f} s for: {what}")
        time.sleep(0.02)


class Process:
    """A process in a namespace; its output line by line, with the time of each."""

    def __init__(self, name, command, namespace, log, environment=None, stdin=None, close_fds=True):
        self.name, self.log, self.lines = name, pathlib.Path(log), []
        self.child = subprocess.Popen(
            command, preexec_fn=namespace.enter, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, close_fds=close_fds,
            env={**os.environ, "GST_DEBUG_NO_COLOR": "1", **(environment or {})})
        self.thread = threading.Thread(target=self._read, name=name, daemon=True)
        self.thread.start()

    def _read(self):
        with self.log.open("a") as log:
            for line in self.child.stdout:
                text = line.decode(errors="replace")
                self.lines.append((time.monotonic(), text))
                log.write(text)
                log.flush()

    def said(self, text):
        return any(text in line for _, line in self.lines)

    def alive(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def end(self, expected=0, deadline=DEADLINE):
        try:
            status = self.child.wait(deadline)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise Failed(f"{self.name} did not end within {deadline:.0f} s; see {self.log}") from None
        self.thread.join()
        if expected is not None and status != expected:
            raise Failed(f"{self.name} ended with status {status}, not {expected}; see {self.log}")

    def kill(self):
        if self.alive():
            self.child.kill()
        self.child.wait()
        self.thread.join()


class Site:
    """Keys, configuration and everything that is written, in one folder."""

    def __init__(self, folder, more=""):
        self.folder = pathlib.Path(folder)
        keys = self.folder / "keys"
        for command in (["init", "--dir", keys, "--name", RECEIVER], ["add-camera", "--dir", keys, "gate-1"]):
            subprocess.run(["cis-receiver", "keys", *map(str, command)], check=True, stdout=subprocess.DEVNULL)
        (self.folder / "receiver.toml").write_text(f"""
[listen]
address = "{RECEIVER}:{PORT}"
certificate = "keys/server.pem"
key = "keys/server.key"
tokens = "keys/tokens.toml"
state-folder = "state"
[detect]
# The network is looked at, not the detector: frames that find it busy have a line without objects.
queue = 1
when-full = "drop"
[json]
output = "out.jsonl"
[rtsp]
enabled = false
[record]
folder = "recordings"
[status]
interval = 0
{more}""")
        self.output = self.folder / "out.jsonl"

    def receiver(self, network):
        process = Process("receiver", ["cis-receiver", "--config", str(self.folder / "receiver.toml")], network.receiver,
                          self.folder / "receiver.log")
        wait_for("the receiver listens", lambda: process.said("listening for cameras") or not process.alive())
        if not process.alive():
            raise Failed("".join(line for _, line in process.lines))
        return process


class Camera(Process):
    """`cisencode ! cisquicksink`, fed with a clip."""

    def __init__(self, site, network, frames, count, sink="", encoder="", environment=None, spool=None):
        spool = site.folder / "spool" if spool is None else spool
        self.spool = spool
        keep = f"spool-dir={spool}" if spool else ""
        line = (f"fdsrc fd=0 blocksize={source.FRAME} ! rawvideoparse width={source.WIDTH} height={source.HEIGHT} format=i420 framerate={source.FPS}/1 "
                f"! cisencode input-size=256 {encoder} ! cisquicsink address={RECEIVER} port={PORT} stream=gate-1 ca-file={site.folder}/keys/ca.pem "
                f"token-file={site.folder}/keys/gate-1.token eos-timeout=120000 reconnect-delay=2000 {keep} {sink}")
        self.spawned = time.time()
        super().__init__("camera", ["gst-launch-1.0", "-m", *line.split()], network.camera, site.folder / "camera.log",
                         {"GST_DEBUG": "cisencode:5,cisquicsink:5", **(environment or {})}, subprocess.PIPE)
        self.feeder = source.Feeder(frames, self.child.stdin, count)

    def stats(self, element):
        """What an element says at the end of the stream, as text by name."""
        for _, line in reversed(self.lines):
            found = re.search(rf"{element}-stats, (.*)", line)
            if found:
                return dict(re.findall(r"([a-z0-9-]+)=\(\w+\)([^,;]+)", found[1]))
        raise Failed(f"the camera posted no {element}-stats; see {self.log}")

    def coded(self):
        """Frames that the encoder sent."""
        return int(self.stats("cisencode")["frames"])

    def enhancement(self):
        """Units of the enhancement layer: coded, sent, dropped because they had to yield, lost on the way; and bytes sent."""
        coded, link = self.stats("cisencode"), self.stats("cisquicsink")
        return {"coded": int(coded["enhanced"]), **{name: int(link[f"enhancement-{name}"]) for name in ("units", "dropped", "lost", "bytes")}}

    def targets(self):
        """(time, bit/s or None) of every word of the link to the encoder."""
        found = []
        for when, line in self.lines:
            said = re.search(r"the link carries (?:Some\((\d+)\)|(None))", line)
            if said:
                found.append((when, int(said[1]) if said[1] else None))
        return found


class Lines:
    """Follows the receiver's JSON lines and notes when each came."""

    def __init__(self, path):
        self.path, self.found, self.ending = pathlib.Path(path), [], False
        self.rest = b""
        self.at = 0
        self.thread = threading.Thread(target=self._follow, name="lines", daemon=True)
        self.thread.start()

    def _follow(self):
        while not self.ending:
            self._take()
            time.sleep(0.01)
        self._take()

    def _take(self):
        try:
            with self.path.open("rb") as file:
                file.seek(self.at)
                data = file.read()
        except FileNotFoundError:
            return
        now = time.monotonic()
        self.at += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            row = json.loads(line)
            row["arrived"] = now
            # Nine digits are more than datetime takes.
            row["capture"] = datetime.datetime.fromisoformat(row["capture_utc"][:26] + "+00:00").timestamp()
            row["index"] = round(row["pts_ns"] * source.FPS / 1e9)
            self.found.append(row)

    def end(self):
        self.ending = True
        self.thread.join()
        return self.found


def stop(receiver):
    """A clean end: everything is written."""
    receiver.signal(signal.SIGTERM)
    receiver.end()
