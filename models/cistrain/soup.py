"""The mean of the weights of several runs that began alike: what one run learned by chance cancels out (Wortsman et al., "Model soups", ICML 2022).

    python -m cistrain.soup RUN1/restore.pt RUN2/restore.pt --out restore.pt
"""

import argparse
from pathlib import Path

import torch


def mean(states: list[dict]) -> dict:
    """Of checkpoints of the view."""
    notes = [state["note"] for state in states]
    weights = [state["restore"] for state in states]
    if any(w.keys() != weights[0].keys() for w in weights):
        raise ValueError("the checkpoints are of different networks")
    return {"restore": {k: torch.stack([w[k] for w in weights]).mean(0) for k in weights[0]}, "note": "mean of " + "; ".join(notes)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="restore.pt of each")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.save(mean([torch.load(path, map_location="cpu") for path in args.runs]), args.out)


if __name__ == "__main__":
    main()
