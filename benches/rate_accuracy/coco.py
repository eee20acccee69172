"""COCO's 80 detector classes: index of a detector's output -> official category id (1-90, with gaps)."""

_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
OFFICIAL_IDS = [i for i in range(1, 91) if i not in _GAPS]
assert len(OFFICIAL_IDS) == 80
