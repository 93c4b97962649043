"""Every example of docs/scene_graph_maps.md reads as the canonical one; wrong maps are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from homage_sdk.errors import ConfigError
from homage_sdk.problems import Place
from homage_sdk.release import Release, read_release
from homage_sdk.release.scene_graphs.mapping import SceneGraphMap, read_scene_graph_map
from tests.unit.release.tiny import Tiny

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "scene_graph_maps.md").read_text()
BLOCKS = re.findall(r"```json (\S+)\n(.*?)```", PAGE, re.S)
MAPS = re.findall(r"\]\((maps/\w+\.toml)\)", PAGE)
CANONICAL = "annotation_files/scene_graphs/p0002/p0002_r000_v001_a000__sg.json"


def read_text(root: Path, file: str, text: str, mapping: Path | None) -> Release:
    tiny = Tiny(root)
    tiny.list("train", "p0002_r000_a000,iron")
    tiny.put(root / file, text)
    return read_release(root, scene_graph_map=mapping)


def rows(release: Release, name: str) -> list[dict[str, object]]:
    return [
        {key: value for key, value in row.items() if key != "file"}
        for row in release[name].to_pylist()
    ]


@pytest.mark.parametrize("example", range(4))
def test_each_worked_example_reads_as_the_canonical_document(tmp_path: Path, example: int) -> None:
    expected = read_text(tmp_path / "canonical", CANONICAL, BLOCKS[0][1], None)
    file, text = BLOCKS[1 + example]
    release = read_text(tmp_path / "other", file, text, DOCS / MAPS[example])
    assert not release.problems
    assert not expected.problems
    size = {} if "action_genome" not in file else {"width": None, "height": None}
    assert rows(release, "frames") == [row | size for row in rows(expected, "frames")]
    assert rows(release, "relationships") == rows(expected, "relationships")
    found, wanted = release["objects"].to_pydict(), expected["objects"].to_pydict()
    for corner in ("x1", "y1", "x2", "y2"):
        assert found.pop(corner) == pytest.approx(wanted.pop(corner), abs=1e-9)
    assert found == wanted


def test_the_page_explains_every_key_of_a_map() -> None:
    for section, keys in vars_of(SceneGraphMap()).items():
        for key in keys:
            assert re.search(rf"\b{key}\b", PAGE[PAGE.index("## Every key") :]), f"{section}.{key}"


def vars_of(mapping: SceneGraphMap) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(type(getattr(mapping, name)).model_fields)
        for name in type(mapping).model_fields
    }


@pytest.mark.parametrize(
    ("text", "key", "names"),
    [
        ("[keys]\nbocks = 'b'", "keys.bocks", "video width box predicate"),
        ("[boxes]\nformat = 'yxyx'", "boxes.format", "'yxyx' 'xyxy' 'xywh' 'cxcywh'"),
        ("[boxes]\nperson_format = 'xy'", "boxes.person_format", "'xy' 'xyxy' 'xywh' 'cxcywh'"),
        ("[boxes]\nnormalised = 1", "boxes.normalised", "1 boolean"),
        ("[frames]\nbase = 2", "frames.base", "2 1"),
        ("[frames]\nbase = true", "frames.base", "True integer"),
        ("[frame]\nbase = 1", "frame", "files keys frames boxes categories ids"),
        ("files = 1", "files", "1"),
        ("[keys]\nsubject = 'object'", "keys", "subject object predicate"),
        ("[categories]\nobject_names = [1]", "categories.object_names.0", "1 string"),
        ("[keys]\nbox = ''", "keys.box", "'' 1"),
        ("[keys", "", "TOML"),
    ],
)
def test_a_wrong_map_is_refused_with_what_may_stand(
    tmp_path: Path, text: str, key: str, names: str
) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_scene_graph_map(file)
    assert caught.value.place == Place(str(file), key)
    assert [name for name in names.split() if name not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the mapping file.*nowhere\.toml|nowhere"):
        read_scene_graph_map(tmp_path / "nowhere.toml")


def test_category_ids_take_their_names_from_the_class_lists(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    tiny.classes("classInd_objects.txt", "4 person", "9 cup")
    text = '{"frames": [{"frame": 1, "objects": [%s], "relationships": []}]}'
    item = '{"id": %d, "category": %d, "bbox": [1, 2, 3, 4]}'
    both = ", ".join((item % (0, 4), item % (1, 9)))
    tiny.scene("p0001_r001_v001_a001", raw=text % both)
    tiny.scene("p0001_r001_v001_a002", raw=text % (item % (0, 5)))
    mapping = tmp_path / "map.toml"
    mapping.write_text('[categories]\nobjects = "id"\n')
    release = read_release(tmp_path, scene_graph_map=mapping)
    assert release["objects"]["category_raw"].to_pylist() == ["person", "cup", None]
    assert [(p.code, p.found) for p in release.problems] == [("HOM121", "5")]


def test_fractions_without_a_size_are_told_once_a_file(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    item = '{"id": 0, "category": "cup", "bbox": [0.1, 0.1, 0.2, 0.2]}'
    frame = f'{{"frame": 1, "objects": [{item}], "relationships": []}}'
    tiny.scene("p0001_r001_v001_a001", raw=f'{{"frames": [{frame}, {frame}]}}')
    mapping = tmp_path / "map.toml"
    mapping.write_text("[boxes]\nnormalised = true\n")
    release = read_release(tmp_path, scene_graph_map=mapping)
    assert [p.code for p in release.problems] == ["HOM122"]
    assert release["objects"]["x1"].null_count == 2
    assert isinstance(release["objects"], pa.Table)
