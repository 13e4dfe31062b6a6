"""The drop-in layers act as their torch.nn namesakes."""

import copy
import inspect
import io
import pickle
import warnings

import pytest
import torch
import torch.distributed as dist
from torch import nn

import fastgan
from fastgan import nn as fnn

PAIRS = [
    (nn.LeakyReLU, fnn.LeakyReLU, {"negative_slope": 0.2}),
    (nn.LeakyReLU, fnn.LeakyReLU, {"negative_slope": 0.2, "inplace": True}),
    (nn.ReLU, fnn.ReLU, {}),
    (nn.ReLU, fnn.ReLU, {"inplace": True}),
    (nn.Dropout, fnn.Dropout, {"p": 0.25}),
    (nn.Dropout1d, fnn.Dropout1d, {"p": 0.25, "inplace": True}),
    (nn.Dropout2d, fnn.Dropout2d, {"p": 0.25}),
    (nn.Dropout3d, fnn.Dropout3d, {"p": 0.25}),
]
LAYERS = [fastgan_class(**settings) for _, fastgan_class, settings in PAIRS] + [
    fnn.LeakyReLUDropout(0.2, 0.25),
    fnn.LeakyReLUDropout(0.1, 0.5, inplace=True, feature=True),
]


@pytest.mark.parametrize(("torch_class", "fastgan_class", "settings"), PAIRS)
def test_a_layer_has_the_interface_of_its_namesake(torch_class, fastgan_class, settings):
    theirs, ours = torch_class(**settings), fastgan_class(**settings)
    assert isinstance(ours, torch_class)
    assert fastgan_class.__name__ == torch_class.__name__
    assert inspect.signature(fastgan_class) == inspect.signature(torch_class)
    assert repr(ours) == repr(theirs)
    assert vars(ours).keys() == vars(theirs).keys()
    assert ours.state_dict() == theirs.state_dict() == {}
    with pytest.raises(ValueError, match=r"p\b|probability"):
        nn.Dropout(1.5) if torch_class in (nn.LeakyReLU, nn.ReLU) else fastgan_class(1.5)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_copies_and_files_keep_everything(layer):
    layer = copy.deepcopy(layer).eval()
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (
        copy.copy(layer),
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),
        torch.load(file, weights_only=False),
    ):
        assert type(twin) is type(layer)
        assert repr(twin) == repr(layer)
        assert twin.training is False


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_script_is_refused_and_revert_named(layer):
    with pytest.raises(RuntimeError, match=r"fastgan\.revert\(model\)"):
        torch.jit.script(nn.Sequential(nn.Linear(2, 2), copy.deepcopy(layer)))


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_hooks_run(layer):
    layer, seen = copy.deepcopy(layer), []
    layer.register_forward_pre_hook(lambda module, args: seen.append("before"))
    layer.register_forward_hook(lambda module, args, output: seen.append("after"))
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append("gradient"))
    layer.inplace = False  # torch's full backward hooks need that
    shape = (2, 3, 4) if isinstance(layer, nn.Dropout1d) else (2, 3, 4, 5)
    layer(torch.randn(shape, requires_grad=True)).sum().backward()
    assert seen == ["before", "after", "gradient"]


@pytest.mark.parametrize(("torch_class", "fastgan_class", "settings"), PAIRS[:4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_activations_equal_torchs_bit_for_bit(torch_class, fastgan_class, settings, dtype):
    x = torch.randn(3, 129).to(dtype)
    x[0, :4] = torch.tensor([0.0, float("inf"), -float("inf"), float("nan")])
    results = []
    for kind in (torch_class, fastgan_class):
        leaf = x.clone().requires_grad_()
        source = leaf * 1
        y = kind(**settings)(source)
        y[:, 4:].sum().backward()
        results.append((y.detach(), source.detach(), leaf.grad))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("inplace", [False, True])
def test_slope_one_gives_new_memory_unless_in_place(inplace):
    x = torch.randn(5)
    for slope in (1.0, True):
        for layer in (fnn.LeakyReLU(slope, inplace), fnn.LeakyReLUDropout(slope, 0.5, inplace).eval()):
            y = layer(x)
            assert torch.equal(y, x)
            assert (y is x) is inplace
            assert (y.data_ptr() == x.data_ptr()) is inplace


@pytest.mark.parametrize(("torch_class", "fastgan_class", "settings"), PAIRS[4:])
def test_dropout_in_eval_and_at_zero_is_the_input_itself(torch_class, fastgan_class, settings):
    x = torch.randn(2, 3, 4) if fastgan_class is fnn.Dropout1d else torch.randn(2, 3, 4, 5)
    state = torch.get_rng_state()
    assert fastgan_class(**settings).eval()(x) is x
    assert fastgan_class(0.0)(x) is x
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("torch_class", "fastgan_class", "shape"),
    [
        (nn.Dropout1d, fnn.Dropout1d, (6, 50)),
        (nn.Dropout1d, fnn.Dropout1d, (3, 6, 50)),
        (nn.Dropout2d, fnn.Dropout2d, (30, 40)),
        (nn.Dropout2d, fnn.Dropout2d, (3, 6, 50)),
        (nn.Dropout2d, fnn.Dropout2d, (3, 6, 5, 5)),
        (nn.Dropout2d, fnn.Dropout2d, (3, 6, 5, 5, 2)),
        (nn.Dropout3d, fnn.Dropout3d, (6, 5, 5, 2)),
        (nn.Dropout3d, fnn.Dropout3d, (3, 6, 5, 5, 2)),
        (nn.Dropout3d, fnn.Dropout3d, (30, 4, 5)),
    ],
)
def test_feature_dropout_reads_ranks_as_torch_does(torch_class, fastgan_class, shape):
    """Compares which elements are dropped together. torch's forward, with its warnings, runs for unusual ranks."""

    def constant_over(layer):
        y = layer(torch.ones(shape))
        return [dim for dim in range(len(shape)) if (y == y.narrow(dim, 0, 1)).all()]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert constant_over(fastgan_class(0.5)) == constant_over(torch_class(0.5))


def test_what_torch_refuses_is_refused():
    for layer in (nn.Dropout1d(), fnn.Dropout1d()):
        with pytest.raises(RuntimeError, match="2D or 3D"):
            layer(torch.ones(1, 2, 3, 4))


def test_inputs_that_no_kernel_takes_go_to_torch():
    integers = torch.arange(-3, 3)
    assert torch.equal(fnn.ReLU()(integers), integers.clamp(min=0))
    sparse = torch.randn(4, 4).relu().to_sparse()
    assert torch.equal(fnn.ReLU()(sparse).to_dense(), sparse.to_dense())
    nested = torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(4, 3)])
    assert fnn.ReLU()(nested).is_nested
    assert torch.equal(fnn.Dropout().eval()(integers), integers)


def test_the_fused_layer_equals_its_two_layers():
    x = torch.randn(64, 8, 3, 3)
    for feature, dropout in ((False, fnn.Dropout), (True, fnn.Dropout2d)):
        torch.manual_seed(1)
        y = fnn.LeakyReLUDropout(0.2, 0.3, feature=feature)(x)
        torch.manual_seed(1)
        torch.testing.assert_close(y, nn.Sequential(nn.LeakyReLU(0.2), dropout(0.3))(x))
    assert torch.equal(fnn.LeakyReLUDropout(0.2).eval()(x), nn.functional.leaky_relu(x, 0.2))


@pytest.fixture
def process_group(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_distributed_wrappers(process_group):
    from torch.distributed.fsdp import fully_shard

    net = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2, True), nn.Dropout(0.5), nn.Linear(8, 1))
    x = torch.randn(4, 6)
    fastgan.convert(net)
    expected = net.eval()(x)
    wrapped = nn.parallel.DistributedDataParallel(copy.deepcopy(net).train())
    wrapped(x).sum().backward()
    assert all(p.grad is not None for p in wrapped.parameters())
    torch.testing.assert_close(wrapped.eval()(x), expected)
    assert fastgan.convert(wrapped).swapped == []
    mesh = dist.init_device_mesh("cpu", (1,))
    sharded = fully_shard(copy.deepcopy(net), mesh=mesh)
    torch.testing.assert_close(sharded(x), expected)
    sharded.train()(x).sum().backward()
    assert all(p.grad is not None for p in sharded.parameters())
