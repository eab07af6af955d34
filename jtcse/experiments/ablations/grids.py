"""The grids of Tables VIII to XI and of Figs. 6 and 8 as data: which system, with which settings, answers for which printed id.

A profile gets the cells that exist in it. Cross-attention layers are placed by their distance: every second layer of four is the
paper's every second of twelve. ``absent`` says why a printed id has no cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jtcse.core.config import Settings
from jtcse.core.errors import check_choice

PLACES = ("table8", "table9", "table10", "table11", "figure6", "figure8")
GRIDS = (*PLACES, "paper_and_code")  # runs whose cells can be made one by one
SECONDS = "seconds/"  # before the id of a cell, the name of a metric: what it took
FEWER = {"table8": 3, "figure8": 1, "paper_and_code": 2}  # seeds at smaller scales
PAPER_DEPTH = 12  # layers of BERT-base, on which the paper's ablations are made
LOSS_SUBSETS = {
    "NCE": ["infonce"],
    "ICNCE": ["icnce"],
    "ICTM": ["ictm"],
    "NCE+ICNCE": ["infonce", "icnce"],
    "NCE+ICTM": ["infonce", "ictm"],
    "ICNCE+ICTM": ["icnce", "ictm"],
    "NCE+ICNCE+ICTM": ["infonce", "icnce", "ictm"],
}
FULL = LOSS_SUBSETS["NCE+ICNCE+ICTM"]
POOLINGS = {"CLS": "cls", "Avg": "mean", "Avg(FL)": "first_last", "Pooler": "pooler"}
FIRST_LAYER = "first_last_1"  # the other reading of Table XI's "first layer": layer 1 instead of the embeddings
TRAINED = ("simcse", "jtcse", "tncse")
UNTRAINED = ("towers", "tower_I", "tower_II")
"""Of the towers that were trained anew for a seed: their sum, and each alone."""
READY = {"start", "tower_1", "tower_2", "sum", "twin", "distilled"}
"""Systems that lie in the workspace already; ``sum``: both towers, not trained together."""


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    ``overrides`` are settings by dotted name; ``text`` is the profile's own corpus, or that with more or with fewer sentences
    (Table VIII); ``bare_layers`` are last layers without LayerNorm (Fig. 8), ``modulus`` which vectors Eq. 13 takes as p;
    ``reference`` is the cell that it is compared with; it is scored on ``pair_limit`` pairs of each graded set at most, evenly
    spaced, or on all.
    """

    id: str
    system: str
    overrides: dict[str, Any] = field(default_factory=dict)
    text: Literal["own", "more", "less"] = "own"
    bare_layers: int = 0
    modulus: Literal["pooler", "hidden"] = "pooler"
    pooling: str | None = None
    reference: str | None = None
    pair_limit: int | None = None

    @property
    def seeded(self) -> bool:
        """Whether it is another model for each seed."""
        return self.system in TRAINED + UNTRAINED


def grid(place: str, settings: Settings, depth: int | None = None) -> list[Cell]:
    """The cells of a table or figure at some settings, in the paper's order.

    Args:
        place: one of ``PLACES``.
        depth: layers of a tower; None reads it from the settings (``depth_of``).
    Raises:
        UserError: a place without a grid.
    """
    check_choice("place with a grid", place, PLACES)
    depth = depth or depth_of(settings)
    makers = {
        "table8": lambda: _sick_text(settings),
        "table9": lambda: _caels(settings, depth),
        "table10": lambda: _losses(settings),
        "table11": _poolings,
        "figure6": lambda: _seeds(settings),
        "figure8": lambda: _bare(settings, depth),
    }
    return on_fewer_pairs(makers[place](), settings)


def on_fewer_pairs(cells: Iterable[Cell], settings: Settings) -> list[Cell]:
    """Cells with the limit of pairs that the grids have."""
    return [replace(cell, pair_limit=settings.ablations.pair_limit) for cell in cells]


def with_beside(place: str, settings: Settings, depth: int | None = None) -> list[Cell]:
    """The grid of a place, and the cells beside it that print has not; arguments and errors as of ``grid``."""
    beside = {
        "table9": lambda: other_readings(settings, depth or depth_of(settings)),
        "table10": lambda: single_towers(settings),
        "table11": other_first_layer,
    }
    return grid(place, settings, depth) + on_fewer_pairs(beside.get(place, list)(), settings)


def seeds(place: str, settings: Settings) -> list[int]:
    """Training seeds of one of ``GRIDS``.

    Table VIII trains single encoders on other texts, Fig. 8 needs one more model a layer and system, paper and code one a
    difference: smaller profiles train them with fewer.
    """
    chosen = list(settings.ablations.seeds)
    return chosen[: FEWER.get(place)] if settings.scale == "smaller" else chosen


def depth_of(settings: Settings) -> int:
    """Layers of a tower: of the generated encoder, by a name such as ``all-MiniLM-L6-v2`` or ``bert_uncased_L-12_H-128_A-2``, or
    BERT-base's 12 (large: 24)."""
    if settings.encoder.name == "generated":
        return settings.encoder.layers
    named = re.search(r"[-_]L-?(\d+)", settings.encoder.name)
    return int(named[1]) if named else 24 if "large" in settings.encoder.name else PAPER_DEPTH


def other_backbone(settings: Settings) -> bool:
    """Whether the encoder is a RoBERTa: the paper's ablations are all BERT's, so its numbers answer for none of them."""
    return "roberta" in settings.encoder.name.lower()


def absent(place: str, settings: Settings, depth: int | None = None) -> dict[str, str]:
    """Printed ids of a place that no cell answers for, each with the reason."""
    from jtcse.paper.printed import values

    there = set() if other_backbone(settings) else {cell.id for cell in grid(place, settings, depth)}
    printed = values().query("place == @place").index
    return {id: _why(id, settings) for id in printed if id not in there and not _is_gain(id, there)}


def _is_gain(id: str, there: set[str]) -> bool:
    """Rows of gains are differences of two cells."""
    return id.startswith("table8/Gain/") and id.replace("Gain", "+SICKR") in there


def _why(id: str, settings: Settings) -> str:
    if other_backbone(settings):
        return "printed for BERT; this profile's encoder is a RoBERTa"
    if id.startswith("table9/"):
        return f"no such distance between cross-attention layers in {depth_of(settings)} layers"
    if id.endswith("/TNCSE"):
        return "trained in Table IX (without cross-attention), on one text only"
    return "another paper's system, which is not trained here"


def reading(settings: Settings) -> str:
    """Cross-attention of the grids: the profile's, or ``carried`` where the profile trains without any."""
    chosen = settings.stage2.cross_stream
    return "carried" if chosen == "none" else chosen


def _stage2(settings: Settings, **more: Any) -> dict[str, Any]:
    values = {"parts": FULL, "cross_stream": reading(settings)} | more
    return {f"stage2.{name}": value for name, value in values.items()}


def _sick_text(settings: Settings) -> Iterator[Cell]:
    without, with_text = _texts(settings)
    for row, text in (("Wiki1M", without), ("+SICKR", with_text)):
        for name, system in (("SimCSE", "simcse"), ("JTCSE", "jtcse")):
            overrides = _stage2(settings) if system == "jtcse" else {}
            reference = f"table8/Wiki1M/{name}" if row == "+SICKR" else None
            yield Cell(f"table8/{row}/{name}", system, overrides, text=text, reference=reference)


def _texts(settings: Settings) -> Sequence[Literal["own", "more", "less"]]:
    """Which text stands for the row without and for the row with the sentences of a graded set."""
    has = "sickr-sentences" in settings.data.corpus or settings.data.corpus == "train-sentences"
    return ("less", "own") if has else ("own", "more")


def _caels(settings: Settings, depth: int) -> Iterator[Cell]:
    for count in _counts(depth):
        overrides = _stage2(settings, cael_count=count)
        yield Cell(f"table9/{PAPER_DEPTH * count // depth}", "jtcse", overrides, reference="table9/none")
    yield Cell("table9/none", "tncse", _stage2(settings, cross_stream="none"))


def _counts(depth: int) -> list[int]:
    """Numbers of cross-attention layers that divide the depth, at distances which the paper's depth has too."""
    return [count for count in range(1, depth + 1) if depth % count == 0 and PAPER_DEPTH % (depth // count) == 0]


def other_readings(settings: Settings, depth: int) -> list[Cell]:
    """Table IX once more under the other readings of Eqs. 8-10. No printed id: the paper has one reading, unknown which.

    ``last`` reads the last layer alone, so all its counts are one cell, and that is ``carried`` with one layer.
    """
    others = [stream for stream in ("last", "carried", "fed") if stream != reading(settings)]
    return [
        Cell(
            f"readings/{stream}/{PAPER_DEPTH * count // depth}",
            "jtcse",
            _stage2(settings, cross_stream=stream, cael_count=count),
            reference="table9/none",
        )
        for stream in others
        for count in (_counts(depth) if stream != "last" else [1])
    ]


def _losses(settings: Settings) -> Iterator[Cell]:
    yield Cell("table10/none", "towers" if settings.ablations.own_towers else "sum")
    for name, parts in LOSS_SUBSETS.items():
        yield Cell(f"table10/{name}", "jtcse", _stage2(settings, parts=parts), reference="table10/none")


def single_towers(settings: Settings) -> list[Cell]:
    """Each tower of a seed alone: what a twin must beat to be worth its second tower. No printed id."""
    if not settings.ablations.own_towers:
        return []
    return [Cell(f"towers/{name}", f"tower_{name}", reference="table10/none") for name in ("I", "II")]


def _poolings() -> Iterator[Cell]:
    for row, pooling in POOLINGS.items():
        for name, system in (("SimCSE", "simcse"), ("JTCSE", "twin"), ("JTCSE_D", "distilled")):
            reference = f"table11/CLS/{name}" if row != "CLS" else None
            yield Cell(f"table11/{row}/{name}", system, pooling=pooling, reference=reference)


def other_first_layer() -> list[Cell]:
    """Table XI's Avg(FL) once more, the first layer being layer 1. No printed id: the paper has one reading, unknown which."""
    cells = [(cell, cell.id.rsplit("/", 1)[1]) for cell in _poolings() if cell.pooling == "first_last"]
    return [
        Cell(f"poolings/layer 1/{name}", cell.system, pooling=FIRST_LAYER, reference=f"table11/CLS/{name}")
        for cell, name in cells
    ]


def _seeds(settings: Settings) -> Iterator[Cell]:
    yield Cell("figure6/SimCSE", "simcse")
    yield Cell("figure6/TNCSE", "tncse", _stage2(settings, cross_stream="none"), reference="figure6/SimCSE")
    yield Cell("figure6/JTCSE", "jtcse", _stage2(settings), reference="figure6/SimCSE")


def _bare(settings: Settings, depth: int) -> Iterator[Cell]:
    """From none to half of the layers, as the paper's 1 to 6 of 12."""
    for name, system, stream in (("JTCSE", "jtcse", reading(settings)), ("TNCSE", "tncse", "none")):
        for count in range(depth // 2 + 1):
            overrides = _stage2(settings, cross_stream=stream)
            reference = f"figure8/{name}/0" if count else None
            yield Cell(f"figure8/{name}/{count}", system, overrides, "own", count, "hidden", None, reference)
