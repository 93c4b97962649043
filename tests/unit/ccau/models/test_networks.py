"""ConvGRU, attention, heads, audio and scene graphs: what each part promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.ccau.models.attention import CellAttention, pool
from baselines.ccau.models.batch_norms import BatchNorm
from baselines.ccau.models.convgru import ConvGRU
from baselines.ccau.models.modality_net import clip_activity, clip_atomic
from baselines.ccau.random_streams import Dropout, DropoutStream
from baselines.ccau.tasks.cooperative import PairSide
from homage_sdk.errors import UsageError
from tests.unit.ccau.models.authors import Cell
from tests.unit.ccau.models.batches import A, C, N, batch, graphs, nets


def gru(dropout=0.0):
    made = ConvGRU(6, 6, dropout, DropoutStream(0, "ego"))
    cell = Cell(6)
    with torch.no_grad():
        for p in made.parameters():
            p.normal_(generator=torch.Generator().manual_seed(p.numel()))
    cell.load_state_dict(made.ConvGRUCell_00.state_dict())
    return made, cell


def test_the_gru_over_rows_is_the_convolutional_one():
    made, cell = gru()
    z = torch.randn(2, 4, 9, 6)
    grid = z.transpose(2, 3).reshape(2, 4, 6, 3, 3)
    h = torch.zeros(2, 6, 3, 3)
    states = made(z)
    for j in range(4):
        h = cell(grid[:, j], h)
        torch.testing.assert_close(states[:, j], h.flatten(2).transpose(1, 2), rtol=1e-5, atol=1e-6)


def test_padded_blocks_carry_the_state_over():
    made, _ = gru()
    z = torch.randn(2, 4, 9, 6)
    valid = torch.tensor([[True, True, False, False], [True, True, True, True]])
    states = made(z, valid)
    assert torch.equal(states[0, 3], states[0, 1])
    torch.testing.assert_close(states[0, :2], made(z[:1, :2])[0])
    torch.testing.assert_close(states[1], made(z[1:])[0])


def test_dropout_falls_on_every_hidden_state_and_is_handed_on():
    made, cell = gru(dropout=0.5)
    made.train()
    made.dropout.source.at(7)
    z = torch.randn(1, 3, 4, 6)
    states = made(z)
    zeros = (states == 0).float().mean().item()
    assert 0.3 < zeros < 0.7
    grid = z.transpose(2, 3).reshape(1, 3, 6, 2, 2)
    before = states[:, 0].transpose(1, 2).reshape(1, 6, 2, 2)  # the dropped state
    after = cell(grid[:, 1], before).flatten(2).transpose(1, 2)
    kept = states[:, 1] != 0
    torch.testing.assert_close(states[:, 1][kept], 2 * after[kept], rtol=1e-5, atol=1e-6)


def test_equation_2():
    attention = CellAttention(8, tau=0.5)
    cells = torch.randn(3, 5, 8)
    vector, weights = pool(cells, attention)
    alpha = attention.alpha(cells).squeeze(-1)
    for b in range(3):
        p = torch.exp(alpha[b] / 0.5) / torch.exp(alpha[b] / 0.5).sum()
        torch.testing.assert_close(weights[b], p)
        torch.testing.assert_close(vector[b], sum(p[i] * cells[b, i] for i in range(5)))
    mean, none = pool(cells, None)
    assert none is None
    torch.testing.assert_close(mean, cells.mean(1))
    with pytest.raises(UsageError, match="temperature"):
        CellAttention(8, tau=0.0)


def test_without_attention_cells_are_pooled_as_by_stacked_layers():
    """Of a 4 x 4 grid, the max of 2 x 2 windows twice (section 5.1), in the networks too."""
    cells = torch.randn(3, 16, 8)
    grid = cells.transpose(1, 2).reshape(3, 8, 4, 4)
    stacked = F.max_pool2d(F.max_pool2d(grid, 2), 2).flatten(1)
    found, none = pool(cells, None, "max")
    assert none is None and torch.equal(found, stacked)
    frames = torch.randn(2, N, 3, 2, 64, 64)
    for kind, reduce in (("mean", Tensor.mean), ("max", Tensor.amax)):
        (net,) = nets(("ego",), size=64, attention="none", pool=kind).values()
        out = net.eval()(frames)
        assert out.attention is None and out.grid.shape[1] == 4
        torch.testing.assert_close(out.clip, reduce(out.grid, dim=1))
        side = PairSide(net)
        torch.testing.assert_close(side(out.grid), side.projection(reduce(out.grid, dim=1)))


def test_clip_predictions_are_the_mean_softmax_and_the_largest_sigmoid():
    activity, atomic = torch.randn(2, 3, 5), torch.randn(2, 3, 4)
    valid = torch.tensor([[True, True, False], [True, True, True]])
    for b, blocks in ((0, 2), (1, 3)):
        mean = activity[b, :blocks].softmax(-1).mean(0)
        torch.testing.assert_close(clip_activity(activity, valid)[b].softmax(-1), mean)
        top = atomic[b, :blocks].sigmoid().amax(0)
        torch.testing.assert_close(clip_atomic(atomic, valid)[b].sigmoid(), top)
        mean = atomic[b, :blocks].sigmoid().mean(0)
        torch.testing.assert_close(clip_atomic(atomic, valid, "mean")[b].sigmoid(), mean)
    none = torch.zeros(2, 3, dtype=torch.bool)
    assert torch.isfinite(clip_activity(activity, none)).all()
    assert torch.isfinite(clip_atomic(atomic, none, "mean")).all()


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1), (1, 3, 1, 1, 1)])
def test_a_batch_of_one_value_a_channel_uses_the_running_statistics(shape):
    norm = BatchNorm(3).train()
    norm(torch.randn(16, *shape[1:]) * 2 + 1)
    mean, var = (value.clone() for value in (norm.running_mean, norm.running_var))
    x = torch.randn(shape)
    found = norm(x)
    expected = (x.flatten() - mean) / (var + norm.eps).sqrt()
    torch.testing.assert_close(found.flatten(), expected)
    assert torch.equal(norm.running_mean, mean) and torch.equal(norm.running_var, var)
    assert norm.num_batches_tracked == 1


def test_one_clip_can_be_trained_on_in_every_preset():
    for classify in ("block", "clip"):
        made = nets(classify=classify)
        inputs, _ = batch(1)
        for modality, net in made.items():
            net.train()
            net(inputs[modality]).activity.sum().backward()


@pytest.mark.parametrize("classify", ["block", "clip"])
@pytest.mark.parametrize("audio_blocks", [False, True])
def test_shapes_are_the_documented_ones(classify, audio_blocks):
    changes = {"audio_blocks": audio_blocks, "audio_columns": 96}
    inputs, _ = batch(2)
    inputs["audio"] = torch.randn(2, 1, 32, 98)
    for modality, net in nets(classify=classify, **changes).items():
        out = net(inputs[modality])
        d = net.config.features
        shapes = {k: tuple(v.shape) for k, v in vars(out).items() if isinstance(v, torch.Tensor)}
        cells = shapes.pop("grid")[1]
        assert shapes.pop("attention", (2, N, cells)) == (2, N, cells)
        assert shapes == {
            "blocks": (2, N, d),
            "clip": (2, d),
            "activity": (2, A),
            "atomic": (2, C),
            "activity_block": (2, N, A),
            "atomic_block": (2, N, C),
            "valid": (2, N),
        }
        assert out.per_block == (modality != "audio" or audio_blocks)
        assert out.per_block == net.has_blocks


@pytest.mark.parametrize("modality", ["ego", "audio", "scene_graph"])
def test_padding_has_no_influence(modality):
    net = nets((modality,), audio_columns=96, audio_blocks=True)[modality].train()
    inputs, _ = batch(2)
    inputs["audio"] = torch.randn(2, 1, 32, 96)
    x = inputs[modality]
    valid = torch.tensor([[True, True, False], [True, True, True]])
    found = net(x, valid)
    if modality == "ego":
        assert torch.equal(found.blocks[0, 2], found.blocks[0, 1])
        assert torch.equal(found.clip[0], found.blocks[0, 1])
    if modality != "audio":  # the statistics are those of the five valid blocks
        flat = found.blocks[valid].detach()
        torch.testing.assert_close(net.final_bn.running_mean, 0.1 * flat.mean(0))
    assert torch.isfinite(found.activity).all()


def test_last_block_is_the_clip_in_clip_mode_evaluation():
    net = nets(("ego",), classify="clip")["ego"].eval()
    out = net(batch(2)[0]["ego"])
    torch.testing.assert_close(out.activity_block[:, -1], out.activity)
    torch.testing.assert_close(out.atomic_block[:, -1], out.atomic)


def test_block_logits_of_clip_mode_touch_no_statistics_and_no_gradient():
    net = nets(("ego",), classify="clip")["ego"].train()
    out = net(batch(3)[0]["ego"])
    torch.testing.assert_close(net.final_bn.running_mean, 0.1 * out.clip.detach().mean(0))
    assert not out.activity_block.requires_grad


def test_scene_graphs_do_not_depend_on_the_order_of_annotation():
    net = nets(("scene_graph",))["scene_graph"].eval()
    g = torch.Generator().manual_seed(3)
    x = graphs(2, g)
    x.object_class.clamp_(min=0)
    order = torch.randperm(5, generator=g)
    back = order.argsort()
    shuffled = replace(
        x,
        object_class=x.object_class[:, :, order],
        object_box=x.object_box[:, :, order],
        subject=back[x.subject],
        object=back[x.object],
        predicate=x.predicate.flip(2),
    )
    shuffled.subject = shuffled.subject.flip(2)
    shuffled.object = shuffled.object.flip(2)
    torch.testing.assert_close(net(x).blocks, net(shuffled).blocks, rtol=1e-4, atol=1e-5)


def test_scene_graph_padding_and_missing_blocks_have_no_influence():
    net = nets(("scene_graph",))["scene_graph"].eval()
    x = graphs(2, torch.Generator().manual_seed(4))
    x.present[:] = torch.tensor([[False, True, False], [True, True, True]])
    wide = replace(
        x,
        object_class=torch.nn.functional.pad(x.object_class, (0, 3), value=-1),
        object_box=torch.nn.functional.pad(x.object_box, (0, 0, 0, 3), value=9.0),
        subject=torch.nn.functional.pad(x.subject, (0, 2), value=-1),
        predicate=torch.nn.functional.pad(x.predicate, (0, 2), value=-1),
        object=torch.nn.functional.pad(x.object, (0, 2), value=-1),
    )
    out, padded = net(x), net(wide)
    torch.testing.assert_close(out.blocks, padded.blocks)
    assert out.valid.all()  # blocks without an annotated frame have the nearest graph of the clip
    spoiled = replace(x, object_class=x.object_class.clone(), object_box=x.object_box.clone())
    spoiled.object_class[0, 0] = 3
    spoiled.object_box[0, 0] = 0.5
    torch.testing.assert_close(net(spoiled).blocks, out.blocks)


def test_scene_graphs_without_objects_or_with_unknown_classes_are_read():
    net = nets(("scene_graph",))["scene_graph"].eval()
    x = graphs(2, torch.Generator().manual_seed(5))
    empty = replace(
        x,
        object_class=x.object_class[:, :, :0],
        object_box=x.object_box[:, :, :0],
        subject=x.subject[:, :, :0],
        predicate=x.predicate[:, :, :0],
        object=x.object[:, :, :0],
    )
    assert torch.isfinite(net(empty).activity).all()
    x.object_class[:] = 99
    x.predicate[:] = 99
    x.subject[:] = 77
    assert torch.isfinite(net(x).activity).all()


def test_dropout_streams_are_named():
    def mask(seed=0, modality="ego", step=0, rank=0, layer="a", calls=1):
        source = DropoutStream(seed, modality)
        source.at(step, rank)
        layer_ = Dropout(0.5, source, layer).train()
        return [layer_(torch.ones(64)) for _ in range(calls)][-1]

    first = mask()
    assert torch.equal(first, mask())
    assert set(first.tolist()) == {0.0, 2.0}
    for change in (
        {"seed": 1},
        {"modality": "third"},
        {"step": 1},
        {"rank": 1},
        {"layer": "b"},
        {"calls": 2},
    ):
        assert not torch.equal(first, mask(**change)), change
    before = torch.random.get_rng_state()
    mask()
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_dropout_drops_its_share_and_no_pattern(share):
    layer = Dropout(share, DropoutStream(0, "ego"), "a").train()
    dropped = (layer(torch.ones(400, 500)) == 0).double()
    again = (layer(torch.ones(400, 500)) == 0).double()
    spread = (share * (1 - share) / dropped.numel()) ** 0.5
    assert abs(float(dropped.mean()) - share) < 5 * spread
    centred = dropped - share
    for other in (centred.roll(1, 0), centred.roll(1, 1), again - share):
        assert abs(float((centred * other).mean())) < 5 * spread


def test_torch_compile_follows_dropout_through_every_step_with_one_graph():
    source = DropoutStream(0, "ego")
    layer = Dropout(0.5, source, "a").train()
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    compiled = torch.compile(layer, backend=count, fullgraph=True)
    for step in range(4):
        source.at(step)
        plain = layer(torch.ones(64))
        source.at(step)
        assert torch.equal(compiled(torch.ones(64)), plain)
    assert len(graphs) == 1
