"""The docstrings: all that is public has one, it names arguments and errors, and its examples run."""

import ast
import dataclasses
import doctest
import importlib.util
import inspect
import pkgutil
import pydoc
import re
import textwrap
from pathlib import Path

import pytest
import torch

import fastgan

FILES = sorted(m.name for m in pkgutil.walk_packages(fastgan.__path__, "fastgan."))
MODULES = ["fastgan", *(name for name in FILES if "._" not in name)]
REFERENCE = re.compile(r":(?:func|class):`((?:fastgan\.[\w.]+)|\w+)`")  # what others' docstrings say is not ours


def public(module):
    """The public objects of a module that can have a docstring, by name."""
    found = {name: getattr(module, name) for name in module.__all__}
    return {name: value for name, value in found.items() if inspect.isclass(value) or inspect.isfunction(value)}


def callables():
    """Every public function, class and method, as (dotted name, object, the docstring that speaks for it)."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, value in public(module).items():
            doc = inspect.getdoc(value) or ""
            yield f"{module_name}.{name}", value, doc
            for method, function in vars(value).items() if inspect.isclass(value) else ():
                function = inspect.unwrap(getattr(function, "__func__", function))
                own = inspect.isfunction(function) and not method.startswith("_")
                if own:
                    yield f"{module_name}.{name}.{method}", function, inspect.getdoc(getattr(value, method)) or ""


CALLABLES = {name: (value, doc) for name, value, doc in callables()}


def is_protocol(value):
    """Whether a class is a `typing.Protocol`, to which `typing` gives a constructor of its own."""
    return getattr(value, "_is_protocol", False)


def arguments(value):
    """The names that a caller may give, those of torch's own constructors excepted."""
    if dataclasses.is_dataclass(value):
        return [f.name for f in dataclasses.fields(value)]
    if inspect.isclass(value):
        own = "__init__" in vars(value) and not issubclass(value, BaseException) and not is_protocol(value)
        if not own:
            return []
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]


def with_references(doc, module):
    """A docstring and those that it refers to for the rest, as in "arguments and errors are those of :func:`f`"."""
    others = [getattr(module, name, None) or pydoc.locate(name) for name in REFERENCE.findall(doc)]
    return "\n".join([doc, *(inspect.getdoc(other) or "" for other in others if other is not None)])


def raised(value):
    """The names of the errors that a function or a constructor raises, by itself or by a private function's hand."""
    if inspect.isclass(value):
        own = [vars(value)[name] for name in ("__post_init__", "__init__") if name in vars(value)]
        return raised(own[0]) if own and not is_protocol(value) else set()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
    except OSError:  # a method that dataclasses made
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            found.add(node.exc.func.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = value.__globals__.get(node.func.id)
            private = inspect.isfunction(called) and "._" in f"{called.__module__}.{called.__name__}"
            found |= raised(called) if private and called is not value else set()
    return {name for name in found if name.endswith("Error")}


def described(doc, module, argument):
    """Whether an argument has a line of `Args:` or `Attributes:`, or where there is no `Args:`, is written as code."""
    listed = rf"^\s+(\w+, )*\*{{0,2}}{argument}(, \w+)*:"
    if re.search(listed, with_references(doc, module), re.MULTILINE):
        return True
    return "Args:" not in doc and re.search(rf"`{argument}\b[^`]*`", doc) is not None


@pytest.mark.parametrize("name", MODULES)
def test_a_public_module_says_what_it_is_for_and_what_is_public_in_it(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert module.__all__
    assert all(hasattr(module, public_name) for public_name in module.__all__ if name != "fastgan")


@pytest.mark.parametrize("name", CALLABLES)
def test_what_is_public_has_a_docstring(name):
    value, doc = CALLABLES[name]
    assert doc
    assert doc != inspect.getdoc(torch.nn.Module.forward)
    if dataclasses.is_dataclass(value):
        assert not doc.startswith(f"{value.__name__}("), "the signature that dataclasses put there"


@pytest.mark.parametrize("name", CALLABLES)
def test_docstrings_name_every_argument(name):
    value, doc = CALLABLES[name]
    assert [a for a in arguments(value) if not described(doc, inspect.getmodule(value), a)] == []


@pytest.mark.parametrize("name", CALLABLES)
def test_docstrings_name_the_errors_raised(name):
    value, doc = CALLABLES[name]
    _, _, said = with_references(doc, inspect.getmodule(value)).partition("Raises:")
    assert [error for error in sorted(raised(value)) if error not in said] == []


def shown():
    """What a newcomer looks up first."""
    for name, (value, _) in CALLABLES.items():
        _, module, *rest = name.split(".")
        function = module in ("functional", "convert", "losses", "metrics") and inspect.isfunction(value)
        kind = module in ("nn", "tabular") and inspect.isclass(value)
        others = ("TrainConfig", "GANTrainer", "load_run", "fit_supervised", "FastGANClassifier", "FastGANRegressor")
        if len(rest) == 1 and (function or kind or rest[0] in others):
            yield name


@pytest.mark.parametrize("name", list(shown()))
def test_what_is_looked_up_first_has_an_example(name):
    assert doctest.DocTestParser().get_examples(CALLABLES[name][1])


SOURCES = {name: Path(importlib.util.find_spec(name).origin).read_bytes() for name in ["fastgan", *FILES]}


@pytest.mark.parametrize(
    "name", [name for name, source in SOURCES.items() if b"\n>>> " in source or b" >>> " in source]
)
def test_examples_give_what_they_show(name):
    if name == "fastgan.explain":
        pytest.importorskip("captum", reason="needs the extra [explain]")
    runner, said = doctest.DocTestRunner(verbose=False), []
    for test in doctest.DocTestFinder().find(importlib.import_module(name)):
        runner.run(test, out=said.append)
    assert not said, "".join(said)
    assert runner.tries == len(re.findall(rb"^ *>>> ", SOURCES[name], re.MULTILINE)), "an example that was not run"
