"""The camera's pictures: a clip, forwards and backwards, each frame marked with its number, handed to a process at a steady pace."""

import subprocess
import threading
import time

WIDTH, HEIGHT, FPS = 480, 272, 5
LUMA = WIDTH * HEIGHT
FRAME = LUMA * 3 // 2
# The number of a frame as black and white squares along the upper edge: it outlives any codec.
BITS, SQUARE = 12, 32


def clip(path):
    """The frames of a clip as I420, there and back, so that no cut disturbs."""
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-vf", f"fps={FPS},scale={WIDTH}:{HEIGHT}", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"],
        check=True, capture_output=True).stdout
    frames = [raw[i:i + FRAME] for i in range(0, len(raw) - FRAME + 1, FRAME)]
    if len(frames) < 2:
        raise ValueError(f"{path} has {len(frames)} frames, 2 are needed")
    return frames + frames[-2:0:-1]


def mark(frame, number):
    """The frame with its number in it."""
    picture = bytearray(frame)
    for bit in range(BITS):
        value = b"\xeb" if number >> bit & 1 else b"\x10"
        for row in range(SQUARE):
            at = row * WIDTH + bit * SQUARE
            picture[at:at + SQUARE] = value * SQUARE
    return bytes(picture)


def number(luma):
    """The number in a frame's luma."""
    found = 0
    for bit in range(BITS):
        middle = [luma[row * WIDTH + bit * SQUARE + column] for row in range(12, 20) for column in range(12, 20)]
        found |= (sum(middle) > 128 * len(middle)) << bit
    return found


class Feeder:
    """Writes `count` frames into a pipe, FPS a second, and notes when."""

    def __init__(self, frames, pipe, count):
        self.times = []
        self.frames, self.pipe, self.count = frames, pipe, count
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._feed, name="feeder", daemon=True)

    def start(self):
        self.thread.start()

    def _feed(self):
        begun = time.monotonic()
        try:
            for n in range(self.count):
                if n == 1:
                    # The first one waited for the process to start.
                    begun = time.monotonic() - 1 / FPS
                wait = begun + n / FPS - time.monotonic()
                if self.stopped.wait(max(0.0, wait)):
                    break
                self.times.append(time.monotonic())
                self.pipe.write(mark(self.frames[n % len(self.frames)], n))
                self.pipe.flush()
        except (BrokenPipeError, ValueError):
            pass
        try:
            self.pipe.close()
        except BrokenPipeError:
            pass

    def stop(self):
        """No more frames: the end of the stream."""
        self.stopped.set()
        self.thread.join()
