"""CPU time of a frame, measured the same way for every path: user plus system time of the encoding process, start-up and reading taken off."""

import resource
import subprocess


def seconds(line, capture=None):
    """CPU seconds (user + system, all threads) that the command `line` took; with a list `capture`, its output is appended there."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(word) for word in line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"failed with status {done.returncode}: {' '.join(map(str, line))}\n{done.stderr[-2000:]}")
    if capture is not None:
        capture.append(done.stdout)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def per_frame_ms(frames, work, work_one, read, read_one):
    """Milliseconds of a frame from CPU seconds of four runs: all frames and one frame, encoding and only reading the source.

    What starting a process, loading a model and setting up an encoder costs is in the one-frame runs too and so drops out."""
    if frames < 2:
        return 1000 * (work_one - read_one)
    return 1000 * ((work - work_one) - (read - read_one)) / (frames - 1)
