"""Class ids and names stay what the catalog in the same place said, and every change is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homage_sdk import Dataset
from homage_sdk.catalog import Catalog
from homage_sdk.cli import app, run
from homage_sdk.errors import HomageError
from homage_sdk.ingest import ingest
from homage_sdk.ingest.ingestion import IngestSummary
from homage_sdk.shards import PackOptions, pack
from homage_sdk.taxonomy import ClassName, Taxonomy, class_key
from tests.command import tree
from tests.unit.release.tiny import Tiny, action, whole


def atomic(catalog: Path) -> dict[int, str]:
    return {each.id: each.name for each in Catalog(catalog).taxonomy("atomic").values()}


def make(tiny: Tiny, catalog: Path, *, renumber: bool = False) -> IngestSummary:
    return ingest(tiny.root, catalog, media=False, renumber=renumber)


def told(summary: IngestSummary) -> set[tuple[str, str]]:
    """Code and found of what was said about classes."""
    return {(p.code, p.found) for p in summary.class_changes}


def labels_only(root: Path) -> Tiny:
    tiny = whole(root)
    (tiny.lists / "classInd_atomic.txt").unlink()
    return tiny


def test_a_list_that_comes_later_changes_no_id_and_no_name(tmp_path: Path) -> None:
    tiny, catalog = labels_only(tmp_path / "r"), tmp_path / "c"
    make(tiny, catalog)
    assert atomic(catalog) == {1: "take cup", 2: "wash/dry cup"}
    before = Dataset(catalog).sql(
        "SELECT DISTINCT class_id, name, slug FROM atomic_actions ORDER BY 1"
    )
    list_file = tiny.classes("classInd_atomic.txt", "1 fold_towel", "2 take_cup", "3 wash/dry_cup")
    summary = make(tiny, catalog)
    assert atomic(catalog) == {1: "take cup", 2: "wash/dry cup", 4: "fold_towel"}
    after = Dataset(catalog).sql(
        "SELECT DISTINCT class_id, name, slug FROM atomic_actions ORDER BY 1"
    )
    assert after == before
    lines = {
        (p.place.row, p.found, p.expected) for p in summary.class_changes if p.code == "HOM250"
    }
    assert lines == {
        (1, "1 fold_towel", "4 fold_towel"),
        (2, "2 take_cup", "1 take cup"),
        (3, "3 wash/dry_cup", "2 wash/dry cup"),
    }
    name = list_file.relative_to(tiny.root).as_posix()
    assert {p.place.file for p in summary.class_changes} == {name}
    rows = Catalog(catalog).table("problems").to_pylist()
    assert [r["row"] for r in rows if r["code"] == "HOM250" and r["file"] == name] == [1, 2, 3]
    again = ingest(tiny.root, catalog, media=False, force=True)
    assert atomic(catalog) == {1: "take cup", 2: "wash/dry cup", 4: "fold_towel"}
    assert {p.code for p in again.class_changes} == {"HOM250"}, "what is new is said once"


def test_renumber_takes_the_list_and_says_what_moved(tmp_path: Path) -> None:
    tiny, catalog = labels_only(tmp_path / "r"), tmp_path / "c"
    make(tiny, catalog)
    tiny.classes("classInd_atomic.txt", "1 fold_towel", "2 take_cup", "3 wash/dry_cup")
    make(tiny, catalog)
    summary = make(tiny, catalog, renumber=True)
    assert atomic(catalog) == {1: "fold_towel", 2: "take_cup", 3: "wash/dry_cup"}
    assert {(p.code, p.found.split(" ")[2], p.expected) for p in summary.class_changes} == {
        ("HOM252", "1", "4"),
        ("HOM252", "2", "1"),
        ("HOM252", "3", "2"),
    }
    make(tiny, tmp_path / "fresh")
    assert tree(catalog) == tree(tmp_path / "fresh")
    assert make(tiny, catalog).unchanged, "the new ids are what stays from now on"


def test_a_list_in_another_order_is_told_line_by_line(tmp_path: Path) -> None:
    tiny, catalog = whole(tmp_path / "r"), tmp_path / "c"
    make(tiny, catalog)
    tiny.classes("classInd_atomic.txt", "1 wash/dry_cup", "2 take_cup")
    summary = make(tiny, catalog)
    assert atomic(catalog) == {1: "take_cup", 2: "wash/dry_cup"}
    assert told(summary) == {("HOM250", "1 wash/dry_cup"), ("HOM250", "2 take_cup")}


def test_new_classes_are_named_and_get_ids_of_their_own(tmp_path: Path) -> None:
    tiny, catalog = labels_only(tmp_path / "r"), tmp_path / "c"
    make(tiny, catalog)
    tiny.actions("p0009_r001_a001", action("arrange flowers"))
    summary = make(tiny, catalog)
    assert atomic(catalog) == {1: "take cup", 2: "wash/dry cup", 3: "arrange flowers"}
    assert told(summary) == {("HOM252", "atomic class 3 'arrange flowers'")}


def test_a_class_that_nothing_names_any_more_keeps_its_id_and_is_named(tmp_path: Path) -> None:
    tiny, catalog = labels_only(tmp_path / "r"), tmp_path / "c"
    file = tiny.actions("p0009_r001_a001", action("arrange flowers"))
    make(tiny, catalog)
    file.unlink()
    summary = make(tiny, catalog)
    assert atomic(catalog) == {1: "arrange flowers", 2: "take cup", 3: "wash/dry cup"}
    assert told(summary) == {("HOM251", "atomic class 1 'arrange flowers'")}
    summary = make(tiny, catalog, renumber=True)
    assert atomic(catalog) == {1: "take cup", 2: "wash/dry cup"}
    assert ("HOM252", "gone") in told(summary)


def test_labels_and_lists_spell_one_class_by_one_name_everywhere(tmp_path: Path) -> None:
    tiny, catalog = whole(tmp_path / "r"), tmp_path / "c"
    tiny.actions("p0009_r001_a001", action("Take  cup"))
    assert make(tiny, catalog).class_changes == ()
    dataset = Dataset(catalog)
    names = {a.name for sequence in dataset for a in sequence.atomic_actions}
    assert names == {"take_cup", "wash/dry_cup"}
    rows = dataset.sql("SELECT DISTINCT name FROM atomic_actions ORDER BY name").to_pylist()
    assert [row["name"] for row in rows] == sorted(names)
    tiny.classes("classInd_atomic.txt", "1 take cup", "2 wash/dry cup")
    summary = make(tiny, catalog)
    assert set(atomic(catalog).values()) == names, "a list that is respelled renames nothing"
    assert told(summary) == {("HOM250", "1 take cup"), ("HOM250", "2 wash/dry cup")}


def test_a_first_catalog_has_nothing_to_differ_from(tmp_path: Path) -> None:
    assert make(whole(tmp_path / "r"), tmp_path / "c").class_changes == ()


def test_classes_that_cannot_be_read_are_numbered_anew_and_that_is_said(tmp_path: Path) -> None:
    tiny, catalog = whole(tmp_path / "r"), tmp_path / "c"
    make(tiny, catalog)
    (catalog / "pts.parquet").unlink()
    tiny.classes("classInd_atomic.txt", "1 wash/dry_cup", "2 take_cup")
    make(tiny, catalog)
    assert atomic(catalog) == {1: "take_cup", 2: "wash/dry_cup"}, "other tables do not matter"
    (catalog / "classes.parquet").write_bytes(b"PAR1")
    summary = make(tiny, catalog)
    assert atomic(catalog) == {1: "wash/dry_cup", 2: "take_cup"}
    assert [p.code for p in summary.class_changes] == ["HOM252"]


def test_the_command_names_the_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny, catalog = labels_only(tmp_path / "r"), tmp_path / "c"
    words = ["ingest", str(tiny.root), str(catalog), "--no-media"]
    assert run(app, words) == 0
    tiny.classes("classInd_atomic.txt", "1 fold_towel", "2 take_cup")
    capsys.readouterr()
    assert run(app, words) == 0
    said = capsys.readouterr().err
    assert all(word in said for word in ("HOM250", "HOM252", "fold_towel", "2 take_cup"))
    assert run(app, ["validate", str(catalog), "--select", "HOM250", "--format", "csv"]) == 1
    assert capsys.readouterr().out.count("HOM250") == 2
    assert run(app, [*words, "--renumber"]) == 0
    assert atomic(catalog) == {1: "fold_towel", 2: "take_cup", 3: "wash/dry cup"}


def test_shards_never_mix_the_ids_of_two_catalogs(tmp_path: Path) -> None:
    tiny, catalog = labels_only(tmp_path / "r"), tmp_path / "c"
    make(tiny, catalog)
    options = PackOptions(views=(9,), audio=False, min_shards=1)
    pack(Dataset(catalog), tmp_path / "s", options, workers=1)
    before = tree(tmp_path / "s")
    tiny.classes("classInd_atomic.txt", "1 wash/dry_cup", "2 take_cup")
    make(tiny, catalog)
    pack(Dataset(catalog), tmp_path / "s", options, workers=1)  # ids and names are the same
    assert tree(tmp_path / "s") == before
    make(tiny, catalog, renumber=True)
    try:
        pack(Dataset(catalog), tmp_path / "s", options, workers=1)
    except HomageError:
        assert tree(tmp_path / "s") == before
    else:
        pack(Dataset(catalog), tmp_path / "fresh", options, workers=1)
        assert tree(tmp_path / "s") == tree(tmp_path / "fresh")


names = st.sampled_from(["a", "b b", "b_b", "B b", "c", "c/d", "e", "f!", "f?", "g"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.dictionaries(st.integers(0, 9), names), st.lists(names)), max_size=5),
)
def test_whatever_comes_a_class_keeps_its_id_name_and_slug(
    steps: list[tuple[dict[int, str], list[str]]],
) -> None:
    kept: list[ClassName] = []
    for listed, used in steps:
        taxonomy = Taxonomy.build("atomic", listed, used, kept)
        assert set(kept) <= set(taxonomy.values())
        assert {class_key(raw) for raw in [*listed.values(), *used]} <= {
            each.key for each in taxonomy.values()
        }
        assert len({each.slug for each in taxonomy.values()}) == len(taxonomy)
        kept = list(taxonomy.values())
