"""A copy of a clean release that faults can be planted in, and what a planted fault looks like.

Files are hard links to the clean release until they are written: planting writes a new file, so the
clean one is never touched. One injector a code, in the modules beside this one; each plants one
fault and says where it must be found.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homage_sdk.problems import Place, Problem


@dataclass(frozen=True, order=True)
class At:
    """Where a planted fault must be reported: one problem there, no other anywhere."""

    file: str
    pointer: str = ""
    row: int = 0
    code: str = ""
    """Of the problem there, where it is another than the fault's."""

    @classmethod
    def of(cls, place: Place) -> At:
        return cls(place.file, place.pointer, place.row or 0)


@dataclass(frozen=True)
class Fault:
    """One way of planting one kind of fault."""

    code: str
    name: str
    plant: Callable[[Copy], At | list[At]]
    deep: bool = False

    def __str__(self) -> str:
        return f"{self.code}-{self.name}"


def fault(code: str, *, deep: bool = False) -> Callable[[Callable[[Copy], At | list[At]]], Fault]:
    """Make an injector of a function; its name says what is planted."""

    def declare(plant: Callable[[Copy], At | list[At]]) -> Fault:
        return Fault(code, plant.__name__.strip("_"), plant, deep)

    return declare


class Copy:
    """A writable copy of a clean release."""

    def __init__(self, clean: Path, root: Path) -> None:
        self.root = root
        self.scene_graph_map = ""  # TOML, where a fault needs one
        for folder, _, files in os.walk(clean):
            target = root / Path(folder).relative_to(clean)
            target.mkdir(parents=True, exist_ok=True)
            for name in files:
                os.link(Path(folder, name), target / name)

    # Files, as paths relative to the release ------------------------------------------------------

    def files(self, ending: str) -> list[str]:
        """Relative paths with that ending, in order."""
        found = (p.relative_to(self.root).as_posix() for p in self.root.rglob(f"*{ending}"))
        return sorted(found)

    @property
    def actions(self) -> list[str]:
        return self.files("_aa.json")

    @property
    def graphs(self) -> list[str]:
        return self.files("_sg.json")

    @property
    def videos(self) -> list[str]:
        return self.files(".mkv")

    @property
    def sensors(self) -> list[str]:
        return [path for path in self.files(".csv") if "__" in path]

    def split(self, name: str) -> str:
        return next(path for path in self.files(f"{name}_list.csv"))

    def classes(self, kind: str) -> str:
        return self.files("classInd.txt" if kind == "activity" else f"classInd_{kind}.txt")[0]

    @staticmethod
    def sequence(path: str) -> str:
        """The sequence id in a file name."""
        parts = path.rsplit("/", 1)[-1].split(".", 1)[0].split("_")
        return "_".join([parts[0], parts[1], next(p for p in parts[2:] if p.startswith("a"))])

    def of(self, sequence: str, paths: list[str]) -> list[str]:
        return [path for path in paths if self.sequence(path) == sequence]

    # Reading and writing --------------------------------------------------------------------------

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def write(self, path: str, data: bytes | str) -> str:
        """Replace a file (a link to the clean one stays as it was)."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def json(self, path: str) -> Any:
        return json.loads(self.read(path))

    def write_json(self, path: str, document: Any) -> str:
        return self.write(path, json.dumps(document))

    def lines(self, path: str) -> list[str]:
        return self.read(path).decode().splitlines()

    def write_lines(self, path: str, lines: list[str]) -> str:
        return self.write(path, "".join(f"{line}\n" for line in lines))

    def append(self, path: str, line: str) -> At:
        """Add a line to a text file; where it is."""
        lines = [*self.lines(path), line]
        self.write_lines(path, lines)
        return At(path, row=len(lines))

    def rename(self, path: str, to: str) -> str:
        target = self.root / to
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).rename(target)
        return to

    def remove(self, *paths: str) -> None:
        for path in paths:
            (self.root / path).unlink()

    def add(self, path: str, item: Any, *keys: str | int) -> At:
        """Append to the list that ``keys`` lead to in a JSON file; where it is."""
        document = self.json(path)
        place = document
        for key in keys:
            place = place[key]
        place.append(item)
        self.write_json(path, document)
        return At(path, "".join(f"/{key}" for key in (*keys, len(place) - 1)))

    def set(self, path: str, value: Any, *keys: str | int) -> At:
        """Replace the value that ``keys`` lead to in a JSON file; where it is."""
        document = self.json(path)
        place = document
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        self.write_json(path, document)
        return At(path, "".join(f"/{key}" for key in keys))

    def spare_class(self, path: str) -> str:
        """An atomic class that other label files use and this one does not."""
        here = {action["class"] for action in self.json(path)}
        others = {action["class"] for file in self.actions for action in self.json(file)}
        return min(others - here)

    # Looking for a place to plant in --------------------------------------------------------------

    def graph_frames(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Every annotated frame: file, position, frame."""
        for path in self.graphs:
            for index, frame in enumerate(self.json(path)["frames"]):
                yield path, index, frame

    def frame_with(self, objects: int = 2, relationships: int = 1) -> tuple[str, int, Any]:
        """An annotated frame with a person, and at least so many objects and relationships."""
        return next(
            (path, index, frame)
            for path, index, frame in self.graph_frames()
            if len(frame["objects"]) >= objects
            and len(frame["relationships"]) >= relationships
            and frame["objects"][0]["category"] == "person"
        )

    def lone_object(self) -> tuple[str, int, int]:
        """A frame's last object, now in no relationship: file, positions of frame and object."""
        path, index, frame = self.frame_with()
        last = len(frame["objects"]) - 1
        lone = frame["objects"][last]["id"]
        links = frame["relationships"]
        kept = [r for r in links if lone not in (r["subject"], r["object"])]
        self.set(path, kept, "frames", index, "relationships")
        return path, index, last


def places(problems: list[Problem]) -> list[tuple[str, At]]:
    """Code and place of each problem, in order."""
    return sorted((problem.code, At.of(problem.place)) for problem in problems)
