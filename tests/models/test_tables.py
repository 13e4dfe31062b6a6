"""The networks of tables: what they compute, what they see, and the statistics of an average."""

import torch

from fastgan.data.table.conditions import ConditionSampler
from fastgan.data.table.segments import Segments
from fastgan.models import tables
from fastgan.models.heads import condition_loss
from fastgan.models.tables import TableDiscriminator, TableGenerator, _OutputLayer, calibrate

SEGMENTS = Segments(2, (3, 2, 4), conditions=2)


def test_the_generator_is_residual_and_obeys_the_layout():
    torch.manual_seed(0)
    generator = TableGenerator(SEGMENTS, latent_dim=8, hidden=(6, 7))
    latents, conditions = torch.randn(20, 8), torch.randint(0, 5, (20,))
    rows = generator(latents, conditions)
    assert rows.shape == (20, 11)
    assert generator.out.in_features == 8 + 5 + 6 + 7
    torch.testing.assert_close(rows[:, 2:5].sum(1), torch.ones(20))
    outputs = generator.outputs(latents, conditions)
    torch.testing.assert_close(generator.condition_loss, condition_loss(outputs, conditions, SEGMENTS))
    # Each condition changes the outputs.
    generator.eval()
    by_condition = [generator.outputs(latents[:1], torch.tensor([c])) for c in range(5)]
    assert len({tuple(o.flatten().tolist()) for o in by_condition}) == 5


def test_outputs_without_gradients_are_those_of_the_layers(monkeypatch):
    monkeypatch.setattr(tables, "_ROWS", 16)
    torch.manual_seed(0)
    for segments, conditions in ((SEGMENTS, torch.randint(0, 5, (37,))), (Segments(3, ()), None)):
        generator = TableGenerator(segments, latent_dim=8, hidden=(6, 7)).double()
        latents = torch.randn(37, 8, dtype=torch.float64)
        for _ in range(5):
            generator.outputs(3 + 2 * latents, conditions)  # statistics unlike those of a new network
        for layer in generator.layers:
            torch.nn.init.uniform_(layer[1].weight)
            torch.nn.init.uniform_(layer[1].bias)
        generator.eval()
        expected = generator.outputs(latents, conditions)
        assert expected.requires_grad
        with torch.no_grad():
            torch.testing.assert_close(generator.outputs(latents, conditions), expected.detach())
            none = generator.outputs(latents[:0], None if conditions is None else conditions[:0])
        assert none.shape == (0, segments.width)


def test_the_discriminator_judges_packs_and_sees_every_row_and_condition():
    torch.manual_seed(0)
    discriminator = TableDiscriminator(SEGMENTS, pack=4, hidden=(16,), dropout=0.0)
    packs, conditions = torch.randn(3, 44, requires_grad=True), torch.arange(12) % 5
    logits = discriminator(packs, conditions)
    assert logits.shape == (3, 1)
    (gradient,) = torch.autograd.grad(logits.sum(), packs)
    assert (gradient != 0).all(1).all()
    changed = conditions.clone()
    changed[5] = (changed[5] + 1) % 5  # row 1 of pack 1
    assert ((discriminator(packs, changed) != logits)[:, 0]).tolist() == [False, True, False]


def test_calibrated_statistics_are_those_of_the_networks_own_outputs():
    torch.manual_seed(0)
    generator = TableGenerator(SEGMENTS, latent_dim=8, hidden=(5,))
    norm = generator.layers[0][1]
    norm.running_mean.fill_(100.0)
    sampler = ConditionSampler(torch.zeros(10, 3, dtype=torch.int64), SEGMENTS)
    calibrate(generator, ((torch.randn(5000, 8), sampler.draw(5000)[0]) for _ in range(20)))
    assert not generator.training
    assert norm.momentum == 0.1
    latents, (conditions, _) = torch.randn(50_000, 8), sampler.draw(50_000)
    one_hot = torch.nn.functional.one_hot(conditions, 5).float()
    h = generator.layers[0][0](torch.cat((one_hot, latents), 1))
    torch.testing.assert_close(norm.running_mean, h.mean(0), atol=0.02, rtol=0)  # four standard errors, both sides
    torch.testing.assert_close(norm.running_var, h.var(0), atol=0, rtol=0.03)


def test_rows_have_full_precision_under_autocast():
    segments = Segments(scalars=2, widths=(5, 40), conditions=1)
    generator = TableGenerator(segments, 8, (16,))
    with torch.autocast("cpu", torch.bfloat16):
        rows = generator(torch.randn(64, 8), torch.randint(5, (64,)))
    assert rows.dtype == generator.condition_loss.dtype == torch.float32
    # Sums of at most 40 numbers, each rounded to float32.
    torch.testing.assert_close(rows[:, 2:7].sum(1), torch.ones(64), rtol=0, atol=40 * 2.0**-24)
    torch.testing.assert_close(rows[:, 7:].sum(1), torch.ones(64), rtol=0, atol=40 * 2.0**-24)
    assert not torch.equal(rows[:, :2], rows[:, :2].bfloat16().float())


def test_the_output_layer_is_a_linear_layer_whose_gradients_have_its_inputs_precision():
    torch.manual_seed(0)
    layer, h = torch.nn.Linear(6, 5), torch.randn(7, 6)
    weights = torch.randn(7, 5)

    def gradients(make, h):
        h = h.detach().requires_grad_()
        return torch.autograd.grad((make(h) * weights).sum(), [h, layer.weight, layer.bias])

    def ours(h):
        return _OutputLayer.apply(h, layer.weight, layer.bias)

    assert torch.equal(ours(h), layer(h))
    torch.testing.assert_close(gradients(ours, h), gradients(layer, h))
    short = h.bfloat16()
    assert torch.equal(ours(short), layer(short.float()))
    found = gradients(ours, short)
    assert [g.dtype for g in found] == [torch.bfloat16, torch.float32, torch.float32]
    for g, expected in zip(found, gradients(lambda x: layer(x.float()), short), strict=True):
        torch.testing.assert_close(g.float(), expected.float(), rtol=0.02, atol=0.02)
