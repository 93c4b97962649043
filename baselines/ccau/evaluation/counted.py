"""On how many sequences and clips a row was computed, and whether rows can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import reduce

from pydantic import BaseModel, ConfigDict, Field

from baselines.ccau.evaluation.predictions import Predictions


class Counted(BaseModel):
    """What a row of an evaluation was computed on. Splits without any are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequences: dict[str, int] = Field(description="Split to sequences that have the modality")
    clips: dict[str, int] = Field(description="Split to their clips, over all views")
    activities: dict[str, int] = Field(
        description="Split to sequences whose activity is known: accuracy counts no others"
    )

    @classmethod
    def of(cls, predictions: Predictions, split: Mapping[str, str]) -> Counted:
        """What ``predictions`` hold; ``split`` is that of each sequence."""
        splits = [split[name] for name in predictions.sequences]
        known = zip(splits, predictions.activity_label, strict=True)
        return cls(
            sequences=_sorted(Counter(splits)),
            clips=_sorted(Counter(splits[row] for row in predictions.clip_sequence)),
            activities=_sorted(Counter(name for name, label in known if label >= 0)),
        )

    def cells(self) -> dict[str, str]:
        """The two cells of a table's row.

        >>> Counted(sequences={"test": 16}, clips={"test": 64}, activities={"test": 15}).cells()
        {'sequences': 'test 16 (15 with activity)', 'clips': '64'}
        """
        known = self.activities
        return {
            "sequences": ", ".join(
                f"{name} {n}" + (f" ({known.get(name, 0)} with activity)") * (known.get(name) != n)
                for name, n in self.sequences.items()
            ),
            "clips": f"{sum(self.clips.values()):,}",
        }


class Comparison(BaseModel):
    """Whether the modalities of an evaluation were judged on the same sequences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    same: bool = Field(description="Whether every modality was judged on the same sequences")
    common: dict[str, int] = Field(description="Split to sequences that every modality has")

    @classmethod
    def of(cls, by_modality: Mapping[str, Predictions], split: Mapping[str, str]) -> Comparison:
        """Of all modalities of an evaluation."""
        shared = common_sequences(by_modality)
        return cls(
            same=all(len(each.sequences) == len(shared) for each in by_modality.values()),
            common=_sorted(Counter(split[name] for name in shared)),
        )

    def note(self) -> str:
        """A sentence below the table.

        >>> Comparison(same=False, common={}).note()
        'Modalities were judged on different sequences and have none in common: do not compare.'
        """
        n = sum(self.common.values())
        if self.same:
            return f"All modalities were judged on the same {n} sequences."
        if not n:
            return (
                "Modalities were judged on different sequences and have none in common: "
                "do not compare."
            )
        return (
            "Modalities were judged on different sequences: compare the rows 'on common', which "
            f"are of the {n} that all have."
        )


def common_sequences(by_modality: Mapping[str, Predictions]) -> frozenset[str]:
    """The sequences that every modality has."""
    names = [frozenset(each.sequences) for each in by_modality.values()]
    return reduce(frozenset.intersection, names) if names else frozenset()


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
