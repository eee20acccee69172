"""Which detector is split, and where: a TOML file per detector in `models/detectors`, or one of the user's own.

    kind     "yolox" or "nanodet": how the heads are read
    file     ONNX file in the weights folder, batch normalisation folded or not, of any size and any number of classes
    input    name of its input (BGR, normalised by `mean` and `std`)
    cut      name of the tensor at stride 8 where the camera's part ends
    strides  of the levels; `heads`: for each level the names of the weights of its last convolutions
    classes  names of its classes, in order; the 80 of COCO when left out. `coco-ids`: their COCO category ids (0: none), needed for labelled boxes
    keep     names of the classes to keep; all when left out
    default-size  long side of x_s in pixels that the bundle proposes
    squeeze  pixels of x per pixel of x_s, 2 or 4: how much larger a picture information squeezing looks at
    latents  channels of y; a detail that they do not hold is lost at any rate
"""

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .classes import COCO_IDS, NAMES

FOLDER = Path(__file__).parents[1] / "detectors"
KINDS = ("yolox", "nanodet")
SQUEEZES = (2, 4)
LATENTS = range(8, 257, 8)  # whole groups of the rate model


@dataclass(frozen=True)
class Family:
    """One detector; see the module's page for the fields."""

    kind: str
    file: str
    input: str
    cut: str
    strides: tuple[int, ...]
    heads: tuple[tuple[str, ...], ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: tuple[str, ...] = tuple(NAMES)
    coco_ids: tuple[int, ...] = tuple(COCO_IDS)
    keep: tuple[str, ...] = ()
    default_size: int = 416
    squeeze: int = 2
    latents: int = 48

    @classmethod
    def of(cls, what: "Family | dict | str | Path") -> "Family":
        """From a checkpoint's table, the path of a TOML file, or the name of one in `models/detectors`."""
        if isinstance(what, Family):
            return what
        if isinstance(what, dict):
            return cls._checked(what, "checkpoint")
        path = Path(what)
        if path.suffix != ".toml":
            path = FOLDER / f"{what}.toml"
        if not path.is_file():
            raise FileNotFoundError(f"no detector {what}: {path} does not exist; there are {', '.join(names())}")
        return cls._checked({k.replace("-", "_"): v for k, v in tomllib.loads(path.read_text()).items()}, str(path))

    @classmethod
    def _checked(cls, table: dict, where: str) -> "Family":
        known = {f.name for f in fields(cls)}
        if unknown := set(table) - known:
            raise ValueError(f"{where}: unknown fields {sorted(unknown)}; known are {sorted(known)}")
        table = dict(table)
        if "classes" in table and "coco_ids" not in table:
            table["coco_ids"] = [0] * len(table["classes"])
        made = cls(**{k: _frozen(v) for k, v in table.items()})
        if made.kind not in KINDS:
            raise ValueError(f"{where}: kind is {made.kind!r}; legal values: {', '.join(KINDS)}")
        if made.squeeze not in SQUEEZES:
            raise ValueError(f"{where}: squeeze is {made.squeeze}; legal values: {', '.join(map(str, SQUEEZES))}")
        if made.latents not in LATENTS:
            raise ValueError(f"{where}: latents is {made.latents}; legal: multiples of {LATENTS.step} from {LATENTS[0]} to {LATENTS[-1]}")
        if len(made.heads) != len(made.strides):
            raise ValueError(f"{where}: {len(made.heads)} heads for {len(made.strides)} strides; every level needs both")
        if len(made.coco_ids) != len(made.classes):
            raise ValueError(f"{where}: {len(made.coco_ids)} coco-ids for {len(made.classes)} classes")
        if missing := set(made.keep) - set(made.classes):
            raise ValueError(f"{where}: keep names {sorted(missing)}, which are not among the classes")
        return made

    def table(self) -> dict:
        """What a checkpoint stores."""
        return asdict(self)

    @property
    def latent_stride(self) -> int:
        """Pixels of x per latent: 16 of x_s."""
        return 16 * self.squeeze

    @property
    def multiple(self) -> int:
        """What the sides of x are multiples of: two latents, because levels down to stride 32 or 64 of x_s follow."""
        return 2 * self.latent_stride

    @property
    def kept(self) -> list[int]:
        """Positions of the kept classes among those of the file."""
        return [self.classes.index(k) for k in self.keep] if self.keep else list(range(len(self.classes)))

    @property
    def names(self) -> list[str]:
        """Classes of the split detector."""
        return [self.classes[k] for k in self.kept]

    @property
    def kept_coco_ids(self) -> list[int]:
        return [self.coco_ids[k] for k in self.kept]


def names() -> list[str]:
    """Detectors that come with the project."""
    return sorted(p.stem for p in FOLDER.glob("*.toml"))


def _frozen(value):
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value
