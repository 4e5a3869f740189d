"""What an estimate's name means to a reader."""

from dataclasses import dataclass
from typing import Literal

Scale = Literal["share", "score", "ratio", "change", "number"]
Reads = Literal["interval", "p", "both", "never"]


@dataclass(frozen=True, slots=True)
class Measure:
    """What an estimate's name means.

    Attributes:
        title: its name in a table.
        scale: ``share`` prints as a percentage, ``score`` lies in 0 to 1, ``ratio`` is a multiple, ``change`` carries
            its sign, ``number`` is free.
        meaning: what it is, in one or two sentences, for the glossary.
        plain: a sentence with ``{value}``, ``{null}`` and ``{rate}`` for the reader who has never seen a ROC curve.
        none: the sentence, with ``{counts}``, where the value does not exceed its null.
        primary: whether it stands on the criterion's card.
        reads: what tells a leak from chance: the interval, the p-value (where the null alone would mislead), both
            (where the null is simulated), or nothing, for a figure that only accompanies another.
    """

    title: str
    scale: Scale
    meaning: str
    plain: str = ""
    none: str = ""
    primary: bool = False
    reads: Reads = "interval"

    @property
    def brief(self) -> str:
        """The first sentence of the meaning."""
        return self.meaning.partition(". ")[0].removesuffix(".")
