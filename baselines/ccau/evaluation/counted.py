"""On how many sequences and clips a row was computed, and whether rows can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import reduce
from itertools import compress

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
    atomic: dict[str, int] = Field(
        description="Split to sequences with atomic labels: average precision counts no others"
    )

    @classmethod
    def of(cls, predictions: Predictions, split: Mapping[str, str]) -> Counted:
        """What ``predictions`` hold; ``split`` is that of each sequence."""
        splits = [split[name] for name in predictions.sequences]
        known = {
            "activities": predictions.activity_label >= 0,
            "atomic": predictions.atomic_known,
        }
        return cls(
            sequences=_sorted(Counter(splits)),
            clips=_sorted(Counter(splits[row] for row in predictions.clip_sequence)),
            **{
                name: _sorted(Counter(compress(splits, flags.tolist())))
                for name, flags in known.items()
            },
        )

    def cells(self) -> dict[str, str]:
        """The two cells of a table's row.

        >>> n = {"test": 16}
        >>> Counted(sequences=n, clips={"test": 64}, activities={"test": 15}, atomic=n).cells()
        {'sequences': 'test 16 (15 with activity)', 'clips': '64'}
        """
        return {
            "sequences": ", ".join(f"{name} {self._said(name)}" for name in self.sequences),
            "clips": f"{sum(self.clips.values()):,}",
        }

    def _said(self, split: str) -> str:
        n = self.sequences[split]
        kinds = {"activity": self.activities, "atomic actions": self.atomic}
        fewer = [
            f"{of.get(split, 0)} with {name}" for name, of in kinds.items() if of.get(split, 0) != n
        ]
        return f"{n} ({', '.join(fewer)})" if fewer else f"{n}"


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
