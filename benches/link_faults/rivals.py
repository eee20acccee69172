"""What a user would do instead: x264 over SRT and over RTP, the same clip on the same link, the same faults."""

import os
import subprocess
import threading
import time

from . import source
from .cases import Case, Run
from .endpoints import Process, wait_for
from .measure import outcome
from .network import RECEIVER, Network

PORT = 5000
RAW = f"fdsrc fd=0 blocksize={source.FRAME} ! rawvideoparse width={source.WIDTH} height={source.HEIGHT} format=i420 framerate={source.FPS}/1"
# A key frame every five seconds, as cameras have: without one nobody gets in again after a loss.
X264 = ("x264enc tune=zerolatency speed-preset=veryfast bitrate={bitrate} vbv-buf-capacity=1000 key-int-max=25 threads=1 "
        "! video/x-h264,profile=main,stream-format=byte-stream")
OUT = "h264parse ! avdec_h264 max-threads=1 output-corrupt=false ! videoconvert ! video/x-raw,format=GRAY8 ! fdsink fd={fd} sync=false"

# name: (sender, receiver); SRT's latency is the time that it has for retransmissions.
WAYS = {
    "x264, SRT, latency 500 ms": (
        "h264parse config-interval=-1 ! mpegtsmux alignment=7 ! srtsink uri=srt://{to}:{port}?mode=caller&latency=500 wait-for-connection=false sync=false",
        "srtsrc uri=srt://0.0.0.0:{port}?mode=listener&latency=500 keep-listening=true ! tsparse ! tsdemux latency=0"),
    "x264, SRT, latency 2000 ms": (
        "h264parse config-interval=-1 ! mpegtsmux alignment=7 ! srtsink uri=srt://{to}:{port}?mode=caller&latency=2000 wait-for-connection=false sync=false",
        "srtsrc uri=srt://0.0.0.0:{port}?mode=listener&latency=2000 keep-listening=true ! tsparse ! tsdemux latency=0"),
    "x264, RTP over UDP": (
        "rtph264pay config-interval=-1 mtu=1200 ! udpsink host={to} port={port} sync=false",
        "udpsrc port={port} caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=H264 ! rtpjitterbuffer latency=500 ! rtph264depay"),
}


class Pictures:
    """Reads decoded frames from a pipe and notes the number in each, and when it came."""

    def __init__(self):
        self.found = []
        self.read_end, self.write_end = os.pipe()
        self.thread = threading.Thread(target=self._read, name="pictures", daemon=True)
        self.thread.start()

    def _read(self):
        with os.fdopen(self.read_end, "rb") as pipe:
            while luma := pipe.read(source.LUMA):
                if len(luma) == source.LUMA:
                    self.found.append({"index": source.number(luma), "arrived": time.monotonic()})


def measure(name, bitrate, conditions, fault, seconds, folder, frames):
    """Runs one way over one link; returns its Outcome."""
    send, receive = (part.format(to=RECEIVER, port=PORT) for part in WAYS[name])
    network = Network()
    network.both(**conditions)
    pictures = Pictures()
    os.set_inheritable(pictures.write_end, True)
    started = []
    try:
        receiver = Process("receiver", ["gst-launch-1.0", "-q", *receive.split(), "!", *OUT.format(fd=pictures.write_end).split()],
                           network.receiver, folder / "receiver.log", close_fds=False)
        started.append(receiver)
        os.close(pictures.write_end)
        time.sleep(1.5)
        camera = Process("camera", ["gst-launch-1.0", "-q", *RAW.split(), "!", *X264.format(bitrate=bitrate).split(), "!", *send.split()],
                         network.camera, folder / "camera.log", stdin=subprocess.PIPE)
        started.append(camera)
        count = round(seconds * source.FPS)
        feeder = source.Feeder(frames, camera.child.stdin, count)
        feeder.start()
        # A way on which nothing comes is a result too.
        wait_for("the first pictures", lambda: len(pictures.found) >= 3 or not feeder.thread.is_alive())
        end = time.monotonic() + 8
        wait_for("time to pass", lambda: time.monotonic() >= end)
        healed = None
        if fault:
            fault(network)
            healed = time.monotonic()
        feeder.thread.join()
        # What is on its way still counts.
        last = time.monotonic() + 5
        wait_for("the rest", lambda: time.monotonic() >= last)
        up, down = network.bytes()
    finally:
        for process in reversed(started):
            process.kill()
        pictures.thread.join(5)
        network.close()
    rows = [row for row in pictures.found if row["index"] < count]
    found = outcome(name, rows, feeder.times, len(feeder.times), healed)
    found.bytes_up, found.bytes_down = up, down
    return found, gap(rows)


def gap(rows):
    """The longest time without a new live result, in ms."""
    times = sorted(row["arrived"] for row in rows)
    return max((b - a for a, b in zip(times, times[1:])), default=0.0) * 1000


def cut(seconds):
    def fault(network):
        network.both(up=False)
        time.sleep(seconds)
        network.both(up=True)
    return fault


def ours(bitrate, conditions, fault, seconds, folder, frames):
    """cis on the same link."""
    run = Run(Case("cis", conditions, encoder=f"bitrate={bitrate}"), folder, frames)
    try:
        camera = run.camera(round(seconds * source.FPS))
        wait_for("the first frames", lambda: run.arrived() >= 3)
        run.take(8)
        healed = None
        if fault:
            fault(run.network)
            healed = time.monotonic()
        camera.feeder.thread.join()
        camera.end()
        up, down = run.network.bytes()
        rows = run.lines.end()
        found = outcome("cis, spool", rows, camera.feeder.times, camera.coded(), healed)
        found.bytes_up, found.bytes_down = up, down
        return found, gap([row for row in rows if not row.get("late")])
    finally:
        run.close()
