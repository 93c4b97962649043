"""The scene-graph encoder: the set of objects and relationships of a block to one vector.

The paper names scene graphs as a modality (section 4.1) and the public code has none; this is our
reading. Objects are category + box, relationships are (subject, predicate, object); each becomes a
token, and a learned query attends over the set, so the order of the annotation has no influence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.ccau.precision import exact
from homage_sdk.loader.batch import SceneGraphBatch


class SceneGraphEncoder(nn.Module):
    """Scene graphs of N blocks to features: [B, N, 1, D], a grid of one cell a block.

    A class id past the known ones is read as "unknown", as is padding inside a relationship.
    """

    def __init__(self, dim: int, n_objects: int, n_predicates: int) -> None:
        super().__init__()
        self.channels = dim
        self.n_objects, self.n_predicates = n_objects, n_predicates
        self.category = nn.Embedding(n_objects + 1, dim)
        self.predicate = nn.Embedding(n_predicates + 1, dim)
        self.box = nn.Linear(6, dim)
        self.relation = nn.Sequential(nn.Linear(3 * dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.norm = nn.LayerNorm(dim)
        self.score = nn.Linear(dim, 1)
        self.value = nn.Linear(dim, dim)

    def forward(self, graphs: SceneGraphBatch) -> Tensor:
        """Zeros where a block has no annotated frame or an empty graph."""
        objects = self._objects(graphs)
        relations = self._relations(graphs, objects)
        tokens = self.norm(torch.cat([objects, relations], dim=2))
        real = torch.cat([graphs.object_class >= 0, graphs.predicate >= 0], dim=2)
        real = real & graphs.present.unsqueeze(-1)
        scores = exact(self.score(tokens).squeeze(-1))
        lowest = torch.finfo(scores.dtype).min
        weights = torch.softmax(scores.masked_fill(~real, lowest), dim=-1) * real
        pooled = weights.unsqueeze(2) @ exact(F.relu(self.value(tokens)))
        return pooled

    def _objects(self, graphs: SceneGraphBatch) -> Tensor:
        box = graphs.object_box
        size = box[..., 2:] - box[..., :2]
        place = self.box(torch.cat([box, size], dim=-1))
        return F.relu(self.category(_known(graphs.object_class, self.n_objects)) + place)

    def _relations(self, graphs: SceneGraphBatch, objects: Tensor) -> Tensor:
        ends = [_gather(objects, position) for position in (graphs.subject, graphs.object)]
        predicate = self.predicate(_known(graphs.predicate, self.n_predicates))
        out: Tensor = self.relation(torch.cat([ends[0], predicate, ends[1]], dim=-1))
        return out


def nearest(seen: Tensor) -> Tensor:
    """For each block the nearest one that is ``seen``, of two the earlier: [B, N] -> int64 [B, N].

    >>> nearest(torch.tensor([[False, True, False, True, False]])).tolist()
    [[1, 1, 1, 3, 3]]
    """
    at = torch.arange(seen.shape[1], device=seen.device)
    away = 2 * (at[:, None] - at).abs() + (at > at[:, None]).long()
    return away.expand(len(seen), -1, -1).masked_fill(~seen[:, None], 4 * len(at)).argmin(dim=2)


def _known(ids: Tensor, count: int) -> Tensor:
    """Ids in range stay; everything else becomes ``count``, the unknown class."""
    return torch.where((ids >= 0) & (ids < count), ids, count)


def _gather(objects: Tensor, position: Tensor) -> Tensor:
    """Tokens [B, N, O, D] at position [B, N, R]; zeros where the position is none of them."""
    inside = (position >= 0) & (position < objects.shape[2])
    if objects.shape[2] == 0:
        return objects.new_zeros(*position.shape, objects.shape[3])
    index = position.clamp(0, objects.shape[2] - 1).unsqueeze(-1)
    taken = objects.gather(2, index.expand(*position.shape, objects.shape[3]))
    return taken * inside.unsqueeze(-1)
