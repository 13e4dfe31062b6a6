"""The docstrings: all that is public has one, it names arguments and errors, and its examples run."""

import ast
import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import pydoc
import re
import textwrap

import pytest
import torch

import fastgan

FILES = sorted(m.name for m in pkgutil.walk_packages(fastgan.__path__, "fastgan."))
MODULES = ["fastgan", *(name for name in FILES if name.removeprefix("fastgan.") in fastgan.__all__)]
# What a newcomer looks up first, with an example each.
SHOWN = ("functional", "nn", "convert", "losses", "metrics", "estimators", "impute")
SHOWN_OF_TRAIN = ("TrainConfig", "GANTrainer", "load_run", "fit_supervised")
REFERENCE = re.compile(r":(?:func|class):`([\w.]+)`")


def public(module):
    """The public objects of a module that can have a docstring, by name."""
    found = {name: getattr(module, name, None) for name in module.__all__}  # fastgan's modules may not be there yet
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


def arguments(value):
    """The names that a caller may give, those of torch's own constructors excepted."""
    if dataclasses.is_dataclass(value):
        return [f.name for f in dataclasses.fields(value)]
    if inspect.isclass(value):
        own = "__init__" in vars(value) and not issubclass(value, BaseException)
        if not own:
            return []
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]


def with_references(doc, module):
    """A docstring and those that it refers to for the rest, as in "arguments and errors are those of :func:`f`"."""
    others = [pydoc.locate(name) or getattr(module, name, None) for name in REFERENCE.findall(doc)]
    return "\n".join([doc, *(inspect.getdoc(other) or "" for other in others if other is not None)])


def raised(value):
    """The names of the errors that a function or a constructor raises, by itself or by a private function's hand."""
    if inspect.isclass(value):
        own = [vars(value)[name] for name in ("__post_init__", "__init__") if name in vars(value)]
        return raised(own[0]) if own else set()
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


def described(doc, argument):
    """Whether an argument has a line of `Args:` or `Attributes:`, or is written as code."""
    listed = rf"^\s+(\w+, )*\*{{0,2}}{argument}(, \w+)*( \(.*\))?:"
    return re.search(listed, doc, re.MULTILINE) or re.search(rf"`{argument}\b[^`]*`", doc)


@pytest.mark.parametrize("name", MODULES)
def test_a_public_module_says_what_it_is_for_and_what_is_public_in_it(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert module.__all__ or module.__name__ == "fastgan.guide"
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
    module = inspect.getmodule(value)
    missing = [a for a in arguments(value) if not described(with_references(doc, module), a)]
    assert not missing


@pytest.mark.parametrize("name", CALLABLES)
def test_docstrings_name_the_errors_raised(name):
    value, doc = CALLABLES[name]
    errors = raised(value)
    missing = [
        e
        for e in errors
        if not re.search(rf"Raises:.*\b{e}\b", with_references(doc, inspect.getmodule(value)), re.DOTALL)
    ]
    assert not missing


def examples(module_name):
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for test in finder.find(importlib.import_module(module_name)) if test.examples]


@pytest.mark.parametrize("name", [name for name in ["fastgan", *FILES] if name != "fastgan._C"])
def test_examples_give_what_they_show(name):
    runner = doctest.DocTestRunner(verbose=False)
    said = []
    for test in examples(name):
        runner.run(test, out=said.append)
    assert not runner.summarize(verbose=False).failed, "".join(said)
