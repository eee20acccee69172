"""The processes under measurement: broker, gateway, workers and cameras, each with its processor time."""

import json
import os
import pathlib
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    def __init__(self, folder, name, *command):
        self.name = name
        self.log = folder / f"{name}.log"
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"))

    def cpu(self):
        """Processor seconds so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def says(self, words, within=120):
        deadline = time.monotonic() + within
        while words not in (text := self.log.read_text(errors="replace")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} does not say '{words}':\n{text}")
            time.sleep(0.02)
        return text

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Site:
    """One broker, its gateway and workers, and cameras that play one recording."""

    def __init__(self, folder, receiver):
        self.folder, self.receiver = folder, receiver
        self.processes = []
        self.broker = Process(folder, "broker", "nats-server", "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", folder / "store",
                              "--ports_file_dir", folder)
        ports = folder / f"nats-server_{self.broker.process.pid}.ports"
        deadline = time.monotonic() + 30
        while not ports.exists() or not ports.read_text():
            if time.monotonic() > deadline:
                raise SystemExit("the broker does not start")
            time.sleep(0.02)
        self.port = int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])

    def run(self, *command):
        self.processes.append(Process(self.folder, *command))
        return self.processes[-1]

    def start(self, role, name, prefix, *flags):
        return self.run(f"{prefix}-{name}", self.receiver, role, "--cluster-servers", f"nats://127.0.0.1:{self.port}",
                        "--cluster-prefix", prefix, "--cluster-units-max-size", 1024, "--cluster-results-max-size", 1024,
                        "--status-interval", 1, *flags)

    def gateway(self, prefix):
        gateway = self.start("gateway", "gateway", prefix, "--insecure", "--listen-address", "127.0.0.1:0", "--listen-max-unit-bytes", 500000)
        address = gateway.says("(QUIC)").partition("listening for cameras on ")[2].split()[0]
        return gateway, int(address.rpartition(":")[2])

    def worker(self, prefix, name):
        return self.start("worker", name, prefix, "--worker-name", name, "--rtsp-enabled=false", "--json-output", "none",
                          "--worker-heartbeat", 200)

    def cameras(self, prefix, port, recording, count, sync):
        line = []
        for n in range(count):
            line += ["filesrc", f"location={recording}", "!", "cisparse", "!", *(["identity", "sync=true", "!"] if sync else []),
                     "cisquicsink", "address=127.0.0.1", f"port={port}", f"stream=camera-{n}", "insecure=true", "queue-size=4096",
                     "latency-budget=0"]
        return self.run(f"{prefix}-cameras", "gst-launch-1.0", "-q", *line)

    def end(self):
        for process in [*self.processes, self.broker]:
            process.end()
