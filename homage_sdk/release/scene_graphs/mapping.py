"""How a scene-graph file is shaped: key names, frame base, box format, names or ids.

The defaults are the canonical document of FORMAT.md. ``--scene-graph-map map.toml`` changes them
without code; docs/scene_graph_maps.md works four examples through.
"""

from __future__ import annotations

import re
import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from homage_sdk.errors import ConfigError
from homage_sdk.problems import Place
from homage_sdk.release.records import LARGEST_VIEW

BoxFormat = Literal["xyxy", "xywh", "cxcywh"]
Written = Literal["name", "id"]
Key = Annotated[str, Field(min_length=1)]
"""A key that every document has."""
Names = Annotated[tuple[str, ...], Field(strict=False)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FilesMap(_Table):
    """Which files hold scene graphs, and whose they are."""

    glob: str = ""
    """Relative to the release root, e.g. ``labels/**/*.json``; empty: every ``*_sg.json``."""
    shape: Literal["frames", "keyed", "coco", "action-genome"] = "frames"
    """``frames``: a list of frames. ``keyed``: an object, frame number -> frame. ``coco`` and
    ``action-genome``: those tools' documents."""
    view: Annotated[int, Field(le=LARGEST_VIEW)] = -1
    """The annotated view where neither file name nor document says it."""
    video_from: Literal["name", "document"] = "name"
    """``name``: the id in the file name; ``document``: the value of ``keys.video``."""

    def matches(self, path: str) -> bool:
        """Whether a relative posix path fits the glob; ``**`` spans folders, ``*`` does not.

        >>> FilesMap(glob="sg/**/*.json").matches("sg/p0002/a.json")
        True
        >>> FilesMap(glob="sg/*.json").matches("sg/p0002/a.json")
        False
        """
        return _glob(self.glob).fullmatch(path) is not None


@lru_cache(maxsize=16)
def _glob(pattern: str) -> re.Pattern[str]:
    spans = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(spans.get(part, re.escape(part)) for part in parts))


_TOGETHER = (
    ("video", "width", "height", "frames"),
    ("frame", "objects", "relationships"),
    ("object_id", "category", "box"),
    ("subject", "object", "predicate"),
)
"""Keys of one JSON object each."""


class KeysMap(_Table):
    """What the document calls things. An empty string: the document has no such key."""

    video: str = "video"
    width: str = "width"
    height: str = "height"
    frames: str = "frames"
    frame: Key = "frame"
    objects: Key = "objects"
    object_id: str = "id"
    category: Key = "category"
    box: Key = "bbox"
    relationships: str = "relationships"
    subject: str = "subject"
    object: str = "object"
    predicate: str = "category"

    @model_validator(mode="after")
    def _differ(self) -> KeysMap:
        for group in _TOGETHER:
            names = [name for key in group if (name := getattr(self, key))]
            if len(set(names)) != len(names):
                raise ValueError(f"different names for {', '.join(group)}")
        return self


class FramesMap(_Table):
    """How frames are numbered."""

    base: Annotated[int, Field(ge=0, le=1)] = 1
    """The number of the first frame: 1 as HOMAGE, or 0."""


class BoxesMap(_Table):
    """How boxes are written."""

    format: BoxFormat = "xyxy"
    """``xyxy``, ``xywh`` (left, top, width, height) or ``cxcywh`` (centre, width, height)."""
    person_format: Literal["", "xyxy", "xywh", "cxcywh"] = ""
    """Another format for boxes of ``person`` (Action Genome: ``xyxy``, objects ``xywh``)."""
    normalised: bool = False
    """Fractions of the frame's width and height, 0 to 1, instead of pixels."""
    width: int = 0
    """Of the frame in pixels, where documents do not say."""
    height: int = 0


class CategoriesMap(_Table):
    """How categories are written."""

    objects: Written = "name"
    """``name``: a string; ``id``: a number of the object class list."""
    relationships: Written = "name"
    object_names: Names = ()
    """Names by id where there is no class list: the first has the id ``first_id``."""
    relationship_names: Names = ()
    first_id: int = 0


class IdsMap(_Table):
    """How objects are told apart within a frame."""

    kind: Literal["number", "text"] = "number"
    """``number``: integers. ``text``: strings, which are numbered in order of the frame's list."""


class SceneGraphMap(_Table):
    """The shape of scene-graph files; the default is the canonical document."""

    files: FilesMap = FilesMap()
    keys: KeysMap = KeysMap()
    frames: FramesMap = FramesMap()
    boxes: BoxesMap = BoxesMap()
    categories: CategoriesMap = CategoriesMap()
    ids: IdsMap = IdsMap()


@dataclass(frozen=True, slots=True)
class Shape:
    """A mapping with the names that its category ids stand for; None: categories are names."""

    mapping: SceneGraphMap = field(default_factory=SceneGraphMap)
    object_names: Mapping[int, str] | None = None
    relationship_names: Mapping[int, str] | None = None

    @classmethod
    def resolve(
        cls, mapping: SceneGraphMap, objects: Mapping[int, str], relationships: Mapping[int, str]
    ) -> Shape:
        """The mapping's own names where it has them, else those of the release's class lists."""
        says = mapping.categories

        def names(
            how: str, own: tuple[str, ...], listed: Mapping[int, str]
        ) -> Mapping[int, str] | None:
            if how == "name":
                return None
            return dict(enumerate(own, start=says.first_id)) if own else listed

        return cls(
            mapping,
            names(says.objects, says.object_names, objects),
            names(says.relationships, says.relationship_names, relationships),
        )


def read_scene_graph_map(path: Path) -> SceneGraphMap:
    """Read a mapping file; ConfigError names the key that is unknown or wrong and what may stand.

    Every table and key is optional and keeps the canonical document's value when left out.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the mapping file: {error.strerror}", place=str(path)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not a TOML file: {error}", place=str(path)) from error
    try:
        return SceneGraphMap.model_validate(document)
    except ValidationError as error:
        raise _wrong(path, error) from error


def _wrong(path: Path, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False)[0]
    *table, _ = where = [str(part) for part in first["loc"]]
    found = reprlib.repr(first["input"])[:80]
    expected = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        within = getattr(SceneGraphMap(), table[0]) if table else SceneGraphMap()
        found, expected = "an unknown key", f"one of {', '.join(type(within).model_fields)}"
    return ConfigError(
        f"the mapping file's {'.'.join(where)} is wrong",
        place=Place(str(path), pointer=".".join(where)),
        found=found,
        expected=expected,
        hint="docs/scene_graph_maps.md explains every key",
    )
