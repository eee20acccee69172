"""Batches drawn by other processes, for a GPU that is faster than one core cuts pictures."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from .data import Pairs


class Drawn(IterableDataset):
    """Endless batches of bytes [noisy or clean, 2, n, 3, size, size], in every process from a seed of its own; `pairs` makes the drawer of a seed."""

    def __init__(self, pairs: Callable[[int], Pairs], seed: int, count: int):
        self.pairs, self.seed, self.count = pairs, seed, count

    def __iter__(self) -> Iterator[Tensor]:
        worker = torch.utils.data.get_worker_info()
        pairs = self.pairs(self.seed + 1000 * (1 + worker.id if worker else 0))
        while True:
            noisy, clean, _ = pairs.batch(self.count)
            yield torch.stack([noisy, clean]).to(torch.uint8)


class Loader:
    """Draws batches (noisy, clean) of `count` pairs, floats on `device`, with so many processes; 0: in this one."""

    def __init__(self, pairs: Callable[[int], Pairs], seed: int, count: int, processes: int, device: str):
        torch.multiprocessing.set_sharing_strategy("file_system")
        drawn = Drawn(pairs, seed, count)
        more = {"prefetch_factor": 4} if processes else {}
        self.batches = iter(DataLoader(drawn, batch_size=None, num_workers=processes, pin_memory=device != "cpu", **more))
        self.device = device

    def batch(self) -> tuple[Tensor, Tensor]:
        both = next(self.batches).to(self.device, non_blocking=True).float()
        return both[0], both[1]
