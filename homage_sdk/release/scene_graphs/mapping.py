"""How a scene-graph file is shaped: key names, frame base, box format, names or ids.

The defaults are the canonical document of FORMAT.md. ``--scene-graph-map map.toml`` changes them
without code; docs/scene_graph_maps.md works four examples through.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from homage_sdk.errors import ConfigError
from homage_sdk.problems import Place

BOX_FORMATS = ("xyxy", "xywh", "cxcywh")
SHAPES = ("frames", "keyed", "coco", "action-genome")


@dataclass(frozen=True, slots=True)
class FilesMap:
    """Which files hold scene graphs, and whose they are."""

    glob: str = ""
    """Relative to the release root, e.g. ``labels/**/*.json``; empty: every ``*_sg.json``."""
    shape: str = "frames"
    """``frames``: a list of frames. ``keyed``: an object, frame number -> frame. ``coco`` and
    ``action-genome``: those tools' documents."""
    view: int = -1
    """The annotated view where neither file name nor document says it."""
    video_from: str = "name"
    """``name``: the id in the file name; ``document``: the value of ``keys.video``."""

    def matches(self, path: str) -> bool:
        """Whether a relative posix path fits the glob; ``**`` spans folders, ``*`` does not.

        >>> FilesMap("sg/**/*.json").matches("sg/p0002/a.json")
        True
        >>> FilesMap("sg/*.json").matches("sg/p0002/a.json")
        False
        """
        return _glob(self.glob).fullmatch(path) is not None


@lru_cache(maxsize=16)
def _glob(pattern: str) -> re.Pattern[str]:
    spans = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(spans.get(part, re.escape(part)) for part in parts))


@dataclass(frozen=True, slots=True)
class KeysMap:
    """What the document calls things. An empty string: the document has no such key."""

    video: str = "video"
    width: str = "width"
    height: str = "height"
    frames: str = "frames"
    frame: str = "frame"
    objects: str = "objects"
    object_id: str = "id"
    category: str = "category"
    box: str = "bbox"
    relationships: str = "relationships"
    subject: str = "subject"
    object: str = "object"
    predicate: str = "category"


@dataclass(frozen=True, slots=True)
class FramesMap:
    """How frames are numbered."""

    base: int = 1
    """The number of the first frame: 1 as HOMAGE, or 0."""


@dataclass(frozen=True, slots=True)
class BoxesMap:
    """How boxes are written."""

    format: str = "xyxy"
    """``xyxy``, ``xywh`` (left, top, width, height) or ``cxcywh`` (centre, width, height)."""
    person_format: str = ""
    """Another format for boxes of ``person`` (Action Genome: ``xyxy``, objects ``xywh``)."""
    normalised: bool = False
    """Fractions of the frame's width and height, 0 to 1, instead of pixels."""
    width: int = 0
    """Of the frame in pixels, where documents do not say."""
    height: int = 0


@dataclass(frozen=True, slots=True)
class CategoriesMap:
    """How categories are written."""

    objects: str = "name"
    """``name``: a string; ``id``: a number of the object class list."""
    relationships: str = "name"
    object_names: tuple[str, ...] = ()
    """Names by id where there is no class list: the first has the id ``first_id``."""
    relationship_names: tuple[str, ...] = ()
    first_id: int = 0


@dataclass(frozen=True, slots=True)
class IdsMap:
    """How objects are told apart within a frame."""

    kind: str = "number"
    """``number``: integers. ``text``: strings, which are numbered in order of the frame's list."""


@dataclass(frozen=True, slots=True)
class SceneGraphMap:
    """The shape of scene-graph files; the default is the canonical document."""

    files: FilesMap = field(default_factory=FilesMap)
    keys: KeysMap = field(default_factory=KeysMap)
    frames: FramesMap = field(default_factory=FramesMap)
    boxes: BoxesMap = field(default_factory=BoxesMap)
    categories: CategoriesMap = field(default_factory=CategoriesMap)
    ids: IdsMap = field(default_factory=IdsMap)


_TOGETHER = (
    ("video", "width", "height", "frames"),
    ("frame", "objects", "relationships"),
    ("object_id", "category", "box"),
    ("subject", "object", "predicate"),
)
"""Keys of one JSON object each."""


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
    sections: dict[str, Any] = {
        "files": FilesMap,
        "keys": KeysMap,
        "frames": FramesMap,
        "boxes": BoxesMap,
        "categories": CategoriesMap,
        "ids": IdsMap,
    }
    built: dict[str, Any] = {}
    for name, table in document.items():
        if name not in sections or not isinstance(table, dict):
            raise _wrong(path, name, f"[{name}]", f"one of {', '.join(map(repr, sections))}")
        built[name] = _section(path, name, sections[name], table)
    mapping = SceneGraphMap(**built)
    _check(path, mapping)
    return mapping


def _section(path: Path, name: str, kind: Any, table: dict[str, Any]) -> Any:
    defaults = kind()
    known = {item.name: getattr(defaults, item.name) for item in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise _wrong(path, f"{name}.{key}", "an unknown key", f"one of {', '.join(known)}")
        default = known[key]
        if isinstance(default, tuple):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise _wrong(path, f"{name}.{key}", repr(value), "a list of strings")
            value = tuple(value)  # noqa: PLW2901 - frozen from here on
        elif type(value) is not type(default):
            raise _wrong(path, f"{name}.{key}", repr(value), f"a {type(default).__name__}")
        values[key] = value
    return kind(**values)


def _check(path: Path, mapping: SceneGraphMap) -> None:
    choices: tuple[tuple[str, object, tuple[object, ...]], ...] = (
        ("files.shape", mapping.files.shape, SHAPES),
        ("files.video_from", mapping.files.video_from, ("name", "document")),
        ("frames.base", mapping.frames.base, (0, 1)),
        ("boxes.format", mapping.boxes.format, BOX_FORMATS),
        ("boxes.person_format", mapping.boxes.person_format, ("", *BOX_FORMATS)),
        ("categories.objects", mapping.categories.objects, ("name", "id")),
        ("categories.relationships", mapping.categories.relationships, ("name", "id")),
        ("ids.kind", mapping.ids.kind, ("number", "text")),
    )
    for key, value, allowed in choices:
        if value not in allowed:
            raise _wrong(path, key, repr(value), f"one of {', '.join(map(repr, allowed))}")
    for group in _TOGETHER:
        names = [name for key in group if (name := getattr(mapping.keys, key))]
        if len(set(names)) != len(names):
            listed = ", ".join(f"keys.{key}" for key in group)
            raise _wrong(path, "keys", f"one name twice among {listed}", "different names")
    for key in ("frame", "objects", "category", "box"):
        if not getattr(mapping.keys, key):
            raise _wrong(path, f"keys.{key}", "an empty name", "the key in your documents")


def _wrong(path: Path, key: str, found: str, expected: str) -> ConfigError:
    return ConfigError(
        f"the mapping file's {key} is wrong",
        place=Place(str(path), pointer=key),
        found=found,
        expected=expected,
        hint="docs/scene_graph_maps.md explains every key",
    )
