"""``ann.json``: everything labelled about a sample, as plain JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homage_sdk.annotations import SceneGraph
    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.taxonomy import Taxonomy


def labelled(
    sequence: Sequence, graphs: list[SceneGraph], taxonomies: dict[str, Taxonomy]
) -> dict[str, Any]:
    """All labels of a sequence, and these of its scene graphs.

    Each class with its column: its rank among the ids.
    """
    activity = sequence.activity
    sizes = {view.number: (view.width, view.height) for view in sequence.views}
    columns = {kind: taxonomy.index for kind, taxonomy in taxonomies.items()}
    return {
        "activity": None
        if activity is None
        else {
            "id": activity.id,
            "name": activity.name,
            "column": columns["activity"](activity.id),
        },
        "atomic_actions": [
            {
                "id": action.action_id,
                "class_id": action.class_id,
                "column": columns["atomic"](action.class_id),
                "name": action.name,
                "first_frame": action.first_frame,
                "last_frame": action.last_frame,
            }
            for action in sequence.atomic_actions
        ],
        "scene_graphs": [
            {
                "id": graph.scene_graph_id,
                "view": graph.view,
                "frame": graph.frame,
                "width": graph.width or sizes.get(graph.view, (None, None))[0],
                "height": graph.height or sizes.get(graph.view, (None, None))[1],
                "objects": [
                    {
                        "id": item.object_id,
                        "class_id": item.class_id,
                        "column": columns["object"](item.class_id),
                        "category": item.category,
                        "box": list(item.box.xyxy),
                    }
                    for item in graph.objects
                ],
                "relationships": [
                    {
                        "subject": item.subject_id,
                        "object": item.object_id,
                        "class_id": item.class_id,
                        "column": columns["relationship"](item.class_id),
                        "category": item.category,
                    }
                    for item in graph.relationships
                ],
            }
            for graph in graphs
        ],
    }
