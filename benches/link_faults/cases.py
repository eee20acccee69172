"""The faults, and how each is made while a camera sends."""

import dataclasses
import pathlib
import signal
import time

from . import source
from .endpoints import Camera, Lines, Site, stop, wait_for
from .measure import outcome
from .network import Network

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


@dataclasses.dataclass
class Case:
    """A link, and what happens to it. `fault(run)` returns when the fault is over."""

    name: str
    conditions: dict = dataclasses.field(default_factory=dict)
    fault: callable = None
    before: float = 5.0         # seconds of sending before the fault
    seconds: float = 16.0       # seconds of sending in all; a fault adds its own
    sink: str = ""
    encoder: str = ""
    receiver: str = ""          # more of the receiver's settings
    needs: str = ""             # a file without which the case is left out


class Run:
    """Camera, network and receiver of one case."""

    def __init__(self, case, folder, frames):
        self.case, self.folder, self.frames = case, folder, frames
        self.site = Site(folder, case.receiver)
        self.network = Network()
        self.network.both(**case.conditions)
        self.receiver = self.site.receiver(self.network)
        self.lines = Lines(self.site.output)
        self.cameras = []

    def camera(self, count, **more):
        """Starts a camera that will send so many frames."""
        options = {"sink": self.case.sink, "encoder": self.case.encoder, **more}
        camera = Camera(self.site, self.network, self.frames, count, **options)
        self.cameras.append(camera)
        camera.feeder.start()
        return camera

    def arrived(self):
        return len(self.lines.found)

    def take(self, seconds):
        """Lets the camera go on for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.cameras[-1].alive():
                raise RuntimeError(f"the camera ended; see {self.folder}/camera.log")
            time.sleep(0.05)

    def close(self):
        for process in [*self.cameras, self.receiver]:
            process.kill()
        self.network.close()


def outage(seconds):
    def fault(run):
        run.network.both(up=False)
        run.take(seconds)
        run.network.both(up=True)
    return fault


def rebinding(run):
    run.network.rebind(2)


def moved(run):
    run.network.move_camera("10.99.0.77")


def restart(sig):
    def fault(run):
        run.receiver.signal(sig)
        run.receiver.end(expected=0 if sig == signal.SIGTERM else -sig)
        run.take(2)
        run.receiver = run.site.receiver(run.network)
    return fault


def clock_step(seconds):
    def fault(run):
        (pathlib.Path(run.folder) / "clock").write_text(f"{seconds:+d}")
    return fault


KBIT = 1000.0
CASES = [
    Case("no fault"),
    Case("loss 1 %", {"loss": 0.01}),
    Case("loss 5 %", {"loss": 0.05}),
    Case("loss 20 %", {"loss": 0.20}),
    Case("delay 20 ms", {"delay": 0.020}),
    Case("delay 200 ms", {"delay": 0.200}),
    Case("delay 600 ms", {"delay": 0.600}, sink="latency-budget=3000"),
    Case("delay 100 ms, jitter 200 ms", {"delay": 0.1, "jitter": 0.2}),
    Case("delay 100 ms, 10 % overtake", {"delay": 0.1, "reorder": 0.10}),
    Case("rate 256 kbit/s", {"rate": 256 * KBIT}),
    Case("rate 64 kbit/s", {"rate": 64 * KBIT}),
    Case("rate 16 kbit/s", {"rate": 16 * KBIT}),
    Case("64 kbit/s, 100 ms, loss 5 %", {"rate": 64 * KBIT, "delay": 0.1, "loss": 0.05}),
    Case("outage 30 s", {"delay": 0.05}, outage(30), seconds=50),
    Case("outage 30 s at 64 kbit/s", {"delay": 0.05, "rate": 64 * KBIT}, outage(30), seconds=55),
    Case("NAT rebinding", {"delay": 0.05}, rebinding),
    Case("camera's address changes", {"delay": 0.05}, moved),
    Case("receiver restarted", {"delay": 0.05}, restart(signal.SIGTERM)),
    Case("receiver killed, started again", {"delay": 0.05}, restart(signal.SIGKILL)),
    Case("clock of the camera +1 h", {"delay": 0.05}, clock_step(3600), needs=FAKETIME),
    Case("clock of the camera -1 h", {"delay": 0.05}, clock_step(-3600), needs=FAKETIME),
]

# The receiver asks for the enhancement layer all along, which takes as much again as detection or more.
WATCHED = '[view]\nenhance = "always"\n'
ENHANCED = [
    Case("no fault", receiver=WATCHED),
    Case("loss 5 %", {"loss": 0.05}, receiver=WATCHED),
    Case("rate 64 kbit/s", {"rate": 64 * KBIT}, receiver=WATCHED),
    Case("rate 32 kbit/s", {"rate": 32 * KBIT}, receiver=WATCHED),
    Case("outage 30 s", {"delay": 0.05}, outage(30), seconds=50, receiver=WATCHED),
]


def faked(folder):
    """The environment of a process whose wall clock, and no other, is as far off as the file `clock` says."""
    clock = pathlib.Path(folder) / "clock"
    clock.write_text("+0")
    return {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def measure(case, folder, frames):
    """Runs a case; returns its Outcome. Whether the machine has what the case needs is for the caller to see."""
    run = Run(case, folder, frames)
    try:
        camera = run.camera(round(case.seconds * source.FPS), environment=faked(folder) if case.needs == FAKETIME else None)
        wait_for("the first frames", lambda: run.arrived() >= 3)
        run.take(case.before)
        healed = None
        if case.fault:
            case.fault(run)
            healed = time.monotonic()
        camera.feeder.thread.join()
        camera.end()
        stop(run.receiver)
        rows = run.lines.end()
        found = outcome(case.name, rows, camera.feeder.times, camera.coded(), healed)
        found.bytes_up, found.bytes_down = run.network.bytes()
        found.enhancement = camera.enhancement()
        found.rebound = sum("cis-link-connected" in line for _, line in camera.lines) - 1
        return found
    finally:
        run.close()
