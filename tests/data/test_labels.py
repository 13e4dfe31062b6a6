"""Labels: the classes that are present are the classes, whatever form they have."""

import numpy as np
import pytest

from fastgan.data.labels import class_values, encode_labels, natural_key


@pytest.mark.parametrize(
    ("values", "codes", "names"),
    [
        (np.array([7, 3, 3, 7]), [1, 0, 0, 1], ("3", "7")),
        (np.array([26, 1, 2], np.uint8), [2, 0, 1], ("1", "2", "26")),
        (np.array([0, 10**9, -5]), [1, 2, 0], ("-5", "0", "1000000000")),
        (np.array([2**63, 2**64 - 1, 2**63], np.uint64), [0, 1, 0], ("9223372036854775808", "18446744073709551615")),
        (np.array([2**53, 2**53 + 1]), [0, 1], ("9007199254740992", "9007199254740993")),
        (np.array([10**30, 10**30 + 1], object), [0, 1], (str(10**30), str(10**30 + 1))),
        (np.array([2.0, 10.0, 2.0], np.float32), [0, 1, 0], ("2", "10")),
        (np.array([True, False]), [1, 0], ("False", "True")),
        (np.array(["10", "2", "1"]), [2, 1, 0], ("1", "2", "10")),
        (np.array(["no", "yes", "no"]), [0, 1, 0], ("no", "yes")),
        (np.array([b"caf\xc3\xa9", b"a"]), [1, 0], ("a", "caf\u00e9")),
        (np.array(["x", "y"], object), [0, 1], ("x", "y")),
        (np.array([[5], [4]]), [1, 0], ("4", "5")),
        (np.array([[0, 0, 1], [1, 0, 0]], np.float32), [1, 0], ("0", "2")),
        (np.eye(3, dtype=bool)[[2, 1, 0]], [2, 1, 0], ("0", "1", "2")),
    ],
)
def test_classes_are_numbered_from_0_and_keep_their_names(values, codes, names):
    got, got_names = encode_labels(values, "x")
    assert got.dtype == np.int64
    assert got.tolist() == codes
    assert got_names == names


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([0, np.nan, 1.5]), "in faces, got a missing label, NaN, for sample 1"),
        (np.array([0, np.inf]), "got infinity for sample 1"),
        (np.array([0, 1, 0.5]), r"got a fraction, 0.5, for sample 2"),
        (np.array([0, 2.0**53]), "too large to be exact, 9007199254740992.0, for sample 1"),
        (np.array(["a", ""]), "a label for every sample in faces, got none for sample 1"),
        (np.array(["a", None], object), "got none for sample 1"),
        (np.array(["a", float("nan")], object), "got none for sample 1"),
        (np.array(["a", 1], object), "got int and str"),
        (np.array([b"\xff"]), "labels in UTF-8"),
        (np.array([[0, 1], [1, 1]]), r"one-hot rows in faces, got \(2, 2\) with row 1 of \[1, 1\]"),
        (np.array([[0.2, 0.8]]), r"one-hot rows"),
        (np.array([["a", "b"]]), r"shape \(N,\)"),
        (np.array(3), r"shape \(N,\)"),
        (np.array([1j]), "got complex128"),
        (np.array(["2020-01-01"], "M8[D]"), r"got datetime64\[D\]"),
    ],
)
def test_labels_that_are_no_classes_are_refused_by_name(values, words):
    with pytest.raises(ValueError, match=words):
        encode_labels(values, "faces")


def test_numbers_in_names_sort_as_numbers():
    names = ["b", "a10", "a2", "10", "9", "a2b1", "01", "1", "a" + "9" * 5000, ""]
    expected = ["", "01", "1", "9", "10", "a2", "a2b1", "a10", "a" + "9" * 5000, "b"]
    assert sorted(names, key=natural_key) == expected


@pytest.mark.parametrize("values", [np.array([3, 7, 3]), np.array([-2, 0]), np.array(["cat", "dog"]), np.array(["01"])])
def test_names_give_the_labels_back(values):
    codes, names = encode_labels(values, "x")
    np.testing.assert_array_equal(class_values(names)[codes], values)
