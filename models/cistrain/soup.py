"""The mean of the weights of several runs that began alike: what one run learned by chance cancels out (Wortsman et al., "Model soups", ICML 2022).

    python -m cistrain.soup START.pt RUN1/restore.pt RUN2/restore.pt --shares 2 1 1 --out restore.pt

With where they began among them, what they knew before is not lost (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

import argparse
from pathlib import Path

import torch


def mean(states: list[dict], shares: list[float]) -> dict:
    """Of checkpoints of the view, each with its share."""
    if len(shares) != len(states) or min(shares) < 0 or not sum(shares):
        raise ValueError(f"{len(states)} checkpoints with the shares {shares}: there must be one for each, none below 0, and not all 0")
    notes = [state["note"] for state in states]
    weights = [state["restore"] for state in states]
    if any(w.keys() != weights[0].keys() for w in weights):
        raise ValueError("the checkpoints are of different networks")
    return {"restore": {k: sum(w[k] * (share / sum(shares)) for w, share in zip(weights, shares, strict=True)) for k in weights[0]}, "note": "mean of " + "; ".join(notes)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="restore.pt of each")
    parser.add_argument("--shares", type=float, nargs="+", help="of each; alike when not given")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.save(mean([torch.load(path, map_location="cpu") for path in args.runs], args.shares or [1.0] * len(args.runs)), args.out)


if __name__ == "__main__":
    main()
