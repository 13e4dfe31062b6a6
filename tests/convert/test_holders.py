"""Who holds a layer is found from the model and the running functions, not by a search through the process."""

import functools
import gc
import sys
import weakref

import pytest
from torch import nn

import convert_taps as taps
import fastgan
from fastgan import nn as fnn

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="callers of Python 3.10 hold arguments unseen")
ALIVE = []


def pair():
    return nn.Sequential(nn.Linear(6, 6), nn.LeakyReLU(0.2), nn.Dropout(0.5))


class Trainer:
    def __init__(self, discriminator=None):
        self.networks = {"discriminator": discriminator or pair()}
        self.report = fastgan.convert(self.networks["discriminator"])


class Holder(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner


def in_a_variable():
    net = pair()
    return fastgan.convert(net)


def not_in_a_variable():
    return fastgan.convert(pair())


def in_a_loop():
    for net in (pair(), pair()):
        report = fastgan.convert(net)
    return report


def in_a_list():
    nets = [pair(), pair()]
    reports = [fastgan.convert(net) for net in nets]
    return reports[0]


def among_children():
    for _, child in Holder(pair()).named_children():
        report = fastgan.convert(child)
    return report


def in_an_attribute():
    return Trainer().report


def as_an_argument_of_a_class():
    return Trainer(pair()).report


def as_a_keyword_of_a_class():
    return Trainer(discriminator=pair()).report


def in_a_closure():
    net = pair()

    def step():
        return net

    return fastgan.convert(net)


def with_layers_in_a_list():
    layers = [nn.Linear(6, 6), nn.LeakyReLU(0.2), nn.Dropout(0.5)]
    net = nn.Sequential(*layers)
    return fastgan.convert(net)


def converted_before():
    net = nn.Sequential(pair(), nn.ReLU())
    first = fastgan.convert(net, trace=True)
    fastgan.convert(net, trace=True)
    return first


STYLES = [
    in_a_variable, not_in_a_variable, in_a_loop, in_a_list, among_children, in_an_attribute, as_an_argument_of_a_class,
    as_a_keyword_of_a_class, in_a_closure, with_layers_in_a_list, converted_before,
]  # fmt: skip


@pytest.fixture
def visited(monkeypatch):
    """The number of objects that were looked into. A search through the process fails."""
    count, referents, objects = [0], gc.get_referents, gc.get_objects

    def counted(*things):
        count[0] += len(things)
        return referents(*things)

    def some_objects(generation=None):
        assert generation is not None, "a search through the process"
        return objects(generation)

    def searched(*_):
        pytest.fail("a search through the process")

    monkeypatch.setattr(gc, "get_referents", counted)
    monkeypatch.setattr(gc, "get_objects", some_objects)
    monkeypatch.setattr(gc, "get_referrers", searched)
    yield count
    gc.enable()


@pytest.mark.parametrize("style", STYLES)
def test_the_objects_of_the_process_are_not_searched(style, visited):
    counts = []
    for objects in (0, 30_000):
        ALIVE[:] = [[i] for i in range(objects)]
        gc.collect()
        gc.disable()  # what a loop holds is found while it is young
        before = visited[0]
        assert len(style().fused) == 1
        counts.append(visited[0] - before)
        gc.enable()
    ALIVE.clear()
    assert counts[1] <= counts[0] + 50  # what the collector happens to hold as young differs a little


def test_large_attributes_of_the_model_are_not_searched(visited):
    net = pair()
    net.data = [[i] for i in range(50_000)]
    assert len(fastgan.convert(net).fused) == 1
    assert visited[0] < 5000


def test_a_layer_in_a_large_attribute_is_found():
    net = pair()
    net.data = [*range(50_000), net[1]]
    assert "'data' of Sequential" in fastgan.convert(net).unfused[0][-1]


@functools.cache
def hidden(kind=None, *arguments):
    """Holds what it returns where no variable leads."""
    return kind(*arguments)


@pytest.mark.parametrize("is_hidden", [False, True])
def test_a_holder_is_found_wherever_it_is(is_hidden):
    features, act = taps.Features(), nn.LeakyReLU(0.2)
    outer = taps.TapsFromOutside(features.features)
    others = [nn.Sequential(act), outer]
    net = nn.Sequential(nn.Linear(6, 6), act)
    if is_hidden:
        hidden(nn.ModuleList, tuple(others))
        del outer, others
    assert "TapsFromOutside.forward reads 'features'" in fastgan.convert(features).unfused[0][-1]
    fastgan.convert(net)
    assert type(net[1]) is fnn.LeakyReLU
    assert type(act) is nn.LeakyReLU
    hidden.cache_clear()


def test_a_list_that_two_models_hold_makes_its_layers_shared():
    layers = [nn.Linear(6, 6), nn.LeakyReLU(0.2)]
    one, other = nn.Sequential(*layers), nn.Identity()
    one.layers = other.layers = layers
    report = fastgan.convert(one)
    assert report.swapped == []
    assert type(layers[1]) is nn.LeakyReLU
    del layers, other
    gc.collect()
    assert len(fastgan.convert(one).swapped) == 1


def test_what_callers_hold_lives_no_longer_than_before():
    net, data = pair(), nn.Identity()
    alive = weakref.ref(data)
    fastgan.convert(net)
    del data
    assert alive() is None


def test_a_dict_of_variables_that_a_caller_keeps_stays_as_it_is():
    net = pair()
    kept = locals()
    later = 1
    before = set(kept)
    fastgan.convert(net)
    assert set(kept) == before
    assert later not in kept


def test_holders_are_found_while_a_tracer_runs():
    act = nn.LeakyReLU(0.2)
    net, other = nn.Sequential(act), nn.Sequential(act)
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        fastgan.convert(net)
    finally:
        sys.settrace(before)
    assert type(other[0]) is nn.LeakyReLU
    assert type(net[0]) is fnn.LeakyReLU
