"""Where the authors' released code, its README and the supplement of its predecessor differ from the printed paper.

JTCSE's repository is called J here, that of its predecessor TNCSE T. The modelling files of J (an archive that the public
repository names but does not hold) could not be read. A difference that a setting of this project can switch names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jtcse.core.errors import UserError

Kind = Literal["switched", "shown", "missing", "no number"]
KINDS: dict[Kind, str] = {
    "switched": "measured by training both readings",
    "shown": "shown on the towers without training",
    "missing": "cannot be measured: file is missing",
    "no number": "not a matter of numbers",
}


@dataclass(frozen=True)
class Difference:
    """One difference: what print says, what code says, which setting switches it, or why none does.

    ``switch`` is the dotted name of a setting, ``readings`` its values that stand for the two sides or the readings that fit.
    """

    number: int
    group: str
    title: str
    paper: str
    code: str
    kind: Kind
    reason: str
    switch: str = ""
    readings: tuple[str, ...] = ()


DIFFERENCES = (
    Difference(
        1, "losses", "Half the weight of ICTM", "Eq. 13 has no factor 1/2", "the ratio is divided by 2 once more",
        "switched", "one setting switches all that Eq. 13 and the code differ in", "stage2.ictm", ("printed", "released"),
    ),
    Difference(
        2, "losses", "Negative cosines", "the logarithm of Eq. 13 has no clamp",
        "a negative cosine becomes the constant 1e-4, without gradient", "shown",
        "without a clamp Eq. 13 is undefined there, so both forms here have one; how often it acts can be counted",
    ),
    Difference(
        3, "losses", "Which views ICTM compares", "no view is marked on the cosine",
        "first view of one tower against second view of the other, each sentence once", "switched",
        "switched together with the factor 1/2", "stage2.ictm", ("printed", "released"),
    ),
    Difference(
        4, "losses", "Negatives of InfoNCE", "the other sentences of the batch (Eq. 11)",
        "all other rows of both views; both views are anchors", "switched", "", "stage2.infonce", ("two_view", "two_n"),
    ),
    Difference(
        5, "losses", "Partner in ICNCE", "no view is marked in Eq. 12",
        "the other view in the other tower; the same view there is left out", "switched", "", "stage2.icnce",
        ("same_view", "other_view"),
    ),
    Difference(
        6, "losses", "The coin R", "R = 1 means tower I to II", "the value 0 means tower I to II", "no number",
        "a fair coin is the same with its sides renamed",
    ),
    Difference(
        7, "losses", "What the cross-attention terms read", "the cross stream's outputs of the last layers (Fig. 4)",
        "two variables of the missing file", "switched", "every reading that fits is trained", "stage2.cross_stream",
        ("none", "last", "carried", "fed"),
    ),
    Difference(
        8, "losses", "Direction of ICNCE in T", "a coin draws the direction in each step (JTCSE)",
        "T has one term in one fixed direction", "shown",
        "T's own system is trained elsewhere in this book; here both directions are compared on one batch",
    ),
    Difference(
        9, "inference", "Which model is measured", "the discussion speaks of the other encoder's values at inference",
        "the evaluation script adds the [CLS] vectors of two ordinary encoders", "shown",
        "where the cross stream leaves the towers untouched, both are equal to the last bit; where it feeds back, they are not",
    ),
    Difference(
        10, "inference", "Scale of the attention", "Eq. 8 divides by the root of the hidden size",
        "stock towers divide by the root of a head's size; the cross-attention's own file is missing", "shown",
        "how far the cross stream moves can be computed; which scale the authors used cannot be known",
    ),
    Difference(
        11, "inference", "Number or distance of cross-attention layers", "the hyper-parameter is the distance k",
        "the argument is the number of layers, one of six", "no number",
        "one determines the other at a given depth; Table IX varies it",
    ),
    Difference(
        12, "settings", "Learning rate of stage 2", "an appendix that is not in the paper; T's supplement: 1e-6",
        "J: 1.3e-6 by default for BERT, 1e-6 for RoBERTa", "switched",
        "the ratio of both values is kept, at this profile's rate", "stage2.learning_rate",
    ),
    Difference(
        13, "settings", "Batch size of stage 2", "T's supplement: 64 for RoBERTa", "T's README and J: 256 for RoBERTa",
        "switched", "the ratio of both values is kept, at this profile's size", "stage2.batch_size",
    ),
    Difference(
        14, "settings", "Weight of the averaged models (UC)", "none is given",
        "0.7 for both backbones in J, 0.75 for RoBERTa in T; RoBERTa's models contain a BERT", "missing",
        "six checkpoints of other papers are needed; the released ones are another chapter",
    ),
    Difference(
        15, "settings", "Dropout of stage 2", "not given", "0.00025 (BERT) and 0.0175 (RoBERTa) in T; J's is in the missing file",
        "switched", "T's value for BERT against this profile's", "stage2.dropout",
    ),
    Difference(
        16, "settings", "Seeds", "Fig. 6 uses seeds 1 to 5", "42 in every script", "shown",
        "the spread between seeds says what one seed can hide",
    ),
    Difference(
        17, "settings", "Name of the corpus", "Wiki1M in the experiments, Wiki100M in the discussion",
        "the file of one million sentences", "no number", "no such larger file is known; a slip of the pen",
    ),
    Difference(
        18, "scripts", "The training command does not train", "not in the paper",
        "the BERT script's switch for training is off by default (on in the RoBERTa script)", "no number",
        "it stops a reader, not a score",
    ),
    Difference(
        19, "scripts", "The towers are not saved", "not in the paper",
        "the BERT script never writes the two encoders, the RoBERTa script does", "no number",
        "a run would leave nothing to measure",
    ),
    Difference(
        20, "scripts", "Two parsers for one command line", "not in the paper",
        "evaluation parses the arguments again and ends the run at any that it does not know", "no number",
        "the run ends before a score is printed",
    ),
    Difference(
        21, "scripts", "What is not released", "distillation, ablations, MTEB and stage 1 are described",
        "no script for any of them, no list of requirements", "missing", "there is no code to compare with",
    ),
    Difference(
        22, "scripts", "T's RoBERTa branch", "RoBERTa is trained",
        "a test of the name takes the BERT branch, and an attribute that does not exist is read", "no number",
        "it cannot run as published",
    ),
    Difference(
        23, "scripts", "A heading of the README", "JTCSE RoBERTa D", "the heading says TNCSE RoBERTa D", "no number",
        "a slip of the pen",
    ),
)  # fmt: skip


def difference(number: int) -> Difference:
    """One of ``DIFFERENCES``.

    Raises:
        UserError: no such number.
    """
    for one in DIFFERENCES:
        if one.number == number:
            return one
    raise UserError(f"there is no difference {number}; they are numbered from 1 to {len(DIFFERENCES)}")


def by_kind(kind: Kind) -> list[Difference]:
    """All differences of a kind."""
    return [one for one in DIFFERENCES if one.kind == kind]
