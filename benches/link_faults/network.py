"""Two network namespaces, each with a TUN device, and the thread that carries packets between them over an impaired link.

`tc netem` would do the same where the kernel has it; many that run tests have not, and a link in this process has a seed and counters of its own."""

import ctypes
import errno
import fcntl
import os
import select
import struct
import subprocess
import threading
import time

from .impair import Direction
from .packet import Nat

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 1500
CAMERA, RECEIVER = "10.99.0.2", "10.99.0.1"
# Where the NAT's outer addresses are: 10.98.0.N.
OUTSIDE = "10.98.0.0/16"

libc = ctypes.CDLL(None, use_errno=True)


class Unsupported(Exception):
    """This machine does not let us make networks; the text says why."""


def _call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def outside(n):
    return bytes([10, 98, 0, n])


class Namespace:
    """A network namespace with lo and a TUN device."""

    def __init__(self, address, peers):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _call("unshare", CLONE_NEWNET)
            try:
                self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
                self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"uplink", IFF_TUN | IFF_NO_PI))
                self.run("ip", "link", "set", "lo", "up")
                self.run("ip", "addr", "add", f"{address}/32", "dev", "uplink")
                self.run("ip", "link", "set", "uplink", "mtu", str(MTU), "up")
                for peer in peers:
                    self.run("ip", "route", "add", peer, "dev", "uplink")
            finally:
                _call("setns", home, CLONE_NEWNET)
        except OSError as error:
            raise Unsupported(f"no network namespace with a TUN device: {error}") from error
        finally:
            os.close(home)

    def enter(self):
        """For `preexec_fn`: the child belongs here."""
        _call("setns", self.fd, CLONE_NEWNET)

    def run(self, *command):
        done = subprocess.run(command, preexec_fn=self.enter, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unsupported(f"{' '.join(command)}: {done.stderr.strip()}")

    def close(self):
        os.close(self.tun)
        os.close(self.fd)


class Network:
    """Camera's and receiver's namespaces and the link between them."""

    def __init__(self, seed=1):
        if not os.path.exists("/dev/net/tun"):
            raise Unsupported("there is no /dev/net/tun")
        self.camera = Namespace(CAMERA, [f"{RECEIVER}/32"])
        self.receiver = Namespace(RECEIVER, [OUTSIDE])
        self.nat = Nat(outside(1))
        self.up, self.down = Direction(seed), Direction(seed + 1)
        self.lock = threading.Lock()
        self.wake_read, self.wake_write = os.pipe()
        self.ending = False
        self.thread = threading.Thread(target=self._carry, name="link", daemon=True)
        self.thread.start()

    def both(self, **conditions):
        """Changes both directions."""
        self.change(up=conditions, down=conditions)

    def change(self, up=None, down=None):
        with self.lock:
            now = time.monotonic()
            self.up.change(now, **(up or {}))
            self.down.change(now, **(down or {}))
        os.write(self.wake_write, b"w")

    def rebind(self, n):
        """The NAT forgets: from now on the camera comes from another address and port."""
        with self.lock:
            self.nat.forget(outside(n))

    def move_camera(self, address):
        """The camera's own address changes under its socket."""
        # The link has one address at a time; the NAT learns the new one from the next packet.
        self.camera.run("ip", "addr", "add", f"{address}/32", "dev", "uplink")
        self.camera.run("ip", "addr", "del", f"{CAMERA}/32", "dev", "uplink")
        self.camera.run("ip", "route", "replace", f"{RECEIVER}/32", "dev", "uplink", "src", address)
        self.rebind(9)

    def bytes(self):
        """Bytes offered to the link: (up, down)."""
        with self.lock:
            return self.up.bytes, self.down.bytes

    def _carry(self):
        poll = select.poll()
        for fd in (self.camera.tun, self.receiver.tun, self.wake_read):
            poll.register(fd, select.POLLIN)
        while not self.ending:
            with self.lock:
                due = [t for t in (self.up.next_due(), self.down.next_due()) if t is not None]
            wait = 200.0 if not due else min(200.0, max(0.0, (min(due) - time.monotonic()) * 1000))
            ready = [fd for fd, _ in poll.poll(wait)]
            if self.wake_read in ready:
                os.read(self.wake_read, 4096)
            with self.lock:
                for tun, direction, translate in (
                    (self.camera.tun, self.up, self.nat.out), (self.receiver.tun, self.down, self.nat.back),
                ):
                    for packet in read_all(tun) if tun in ready else ():
                        # Only IPv4: the kernel's own IPv6 chatter is no traffic of ours.
                        packet = translate(packet) if packet[0] >> 4 == 4 else None
                        if packet is not None:
                            direction.offer(time.monotonic(), packet)
                now = time.monotonic()
                out = [(self.receiver.tun, self.up.due(now)), (self.camera.tun, self.down.due(now))]
            for tun, packets in out:
                for packet in packets:
                    try:
                        os.write(tun, packet)
                    except OSError as error:
                        if error.errno not in (errno.EAGAIN, errno.ENOBUFS, errno.EIO):
                            raise

    def close(self):
        self.ending = True
        os.write(self.wake_write, b"w")
        self.thread.join()
        self.camera.close()
        self.receiver.close()
        os.close(self.wake_read)
        os.close(self.wake_write)


def read_all(tun):
    packets = []
    while len(packets) < 64:
        try:
            packets.append(os.read(tun, 65536))
        except BlockingIOError:
            break
    return packets
