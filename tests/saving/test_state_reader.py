"""Folders that were made by someone else: each is loaded or refused by one kind of error, and runs no code."""

import hashlib
import io
import json
import zipfile
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

import tabrec
from tabrec import Categorify, DotProductBias, ForestRegressor
from tabrec.saving.folder import UnreadableModel


def write_files(folder, files):
    """Write a folder with its digests, as an attacker would."""
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    for name, content in (files | {"SHA256SUMS": sums.encode()}).items():
        (folder / name).write_bytes(content)
    return folder


def read_files(saved):
    return {file.name: file.read_bytes() for file in sorted(saved.iterdir()) if file.name != "SHA256SUMS"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The files of a few small models."""
    X = pd.DataFrame({"a": np.arange(12.0), "day": pd.date_range("2020", periods=12), "label": list("xyz") * 4})
    pairs = pd.DataFrame({"user": [1, 2, 3] * 4, "item": list("abcd") * 3})
    forest = ForestRegressor(1, oob_score=False, random_state=0)
    models = [
        Categorify(["label"]).fit(X),
        forest.fit(X, X["a"]),
        GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=2).fit(X[["a"]], X["a"]),
        DotProductBias(2, epochs=1, random_state=0).fit(pairs, X["a"]),
    ]
    root = tmp_path_factory.mktemp("folders")
    return [read_files(tabrec.save(model, root / str(i))) for i, model in enumerate(models)]


@pytest.fixture
def files(folders):
    """The files of a forest."""
    return dict(folders[1])


def load_files(folder, files):
    return tabrec.load(write_files(folder, files))


def assert_refused(folder, files, match):
    """Loading fails by the documented error, which names the folder."""
    with pytest.raises(ValueError, match=match) as caught:
        load_files(folder, files)
    assert str(folder) in str(caught.value)


MALFORMED = {
    "text": (b"no JSON", "is not the JSON of a saved model"),
    "nested without end": (b"[" * 100_000, "is not the JSON of a saved model"),
    "endless digits": (b'{"format": ' + b"9" * 100_000 + b"}", "is not the JSON of a saved model"),
    "not a number": (b'{"format": NaN}', "the number NaN is not finite"),
    "infinite": (b'{"format": 1e999}', "the number 1e999 is not finite"),
    "a key twice": (b'{"format": 2, "format": 2}', "duplicate key"),
    "not UTF-8": (b"\xff", "is not the JSON of a saved model"),
    "a list": (b"[]", "has no format number"),
    "format of another type": (b'{"format": true}', "has no format number"),
    "no model": (b'{"format": 2}', "lacks class, schema, metadata, model"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_json_is_refused(name, files, tmp_path):
    content, match = MALFORMED[name]
    assert_refused(tmp_path, files | {"model.json": content}, rf"model\.json is damaged: .*{match}")


def nested(depth):
    entry = 1
    for _ in range(depth):
        entry = {"tuple": [entry]}
    return entry


WRONG_ENTRIES = {
    "no kind": ({}, "of the kind None"),
    "unknown kind": ({"short_name": "x"}, "of the kind 'short_name'"),
    "attribute of the reader": ({"_class__": 1}, "of the kind '_class__'"),
    "lacking key": ({"array": "0", "order": "C"}, "has the keys"),
    "unknown key": ({"tuple": [], "more": 1}, "has the keys"),
    "absent array": ({"array": "99", "dtype": "<f8", "order": "C"}, "the arrays lack it"),
    "array of another dtype": ({"array": "0", "dtype": "<M8[zz]", "order": "C"}, "cannot be read"),
    "array of another shape": ({"array": "0", "dtype": "<f8", "order": "C", "shape": [10**15]}, "cannot be read"),
    "objects of another shape": ({"objects": [1], "shape": [10**15], "dtype": "|O"}, "cannot be read"),
    "text instead of a list": ({"tuple": "abc"}, "is not a list"),
    "unhashable key": ({"dict": [[[], 1]]}, "unhashable"),
    "key twice": ({"dict": [["a", 1], ["a", 2]]}, "duplicate key"),
    "absent part": ({"part": "../part-0.skops"}, "not in the folder"),
    "later object": ({"same": 999}, "list index out of range"),
    "function with effects": ({"ufunc": "save"}, "not a function of numpy"),
    "class of no number": ({"plain": "class", "of": ["numpy.memmap"]}, "not a class of numbers"),
    "function of scipy": ({"plain": "distribution", "of": ["bootstrap", [], {"dict": []}]}, "not a distribution"),
    "unknown value": ({"plain": "code", "of": []}, "cannot be read"),
    "date": ({"date": "tomorrow", "class": "date"}, "cannot be read"),
    "nested entries": (nested(300), "model.json is damaged"),
}


@pytest.mark.parametrize("name", WRONG_ENTRIES)
def test_wrong_entry_is_refused(name, files, tmp_path):
    entry, match = WRONG_ENTRIES[name]
    state = json.loads(files["model.json"])
    state["model"]["state"]["n_jobs"] = entry
    assert_refused(tmp_path, files | {"model.json": json.dumps(state).encode()}, match)


def test_wide_text_takes_no_more_memory_than_the_text(files, tmp_path):
    state = json.loads(files["model.json"])
    state["model"]["state"]["n_jobs"] = {"objects": ["a"], "shape": [1], "dtype": f"<U{2**28}"}
    assert load_files(tmp_path, files | {"model.json": json.dumps(state).encode()}).n_jobs.nbytes == 4


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"class": "boosting-regressor"}, "says class boosting-regressor, but the model has forest-regressor"),
        ({"schema": {"n_features": 99, "columns": None}}, "says schema"),
        ({"metadata": []}, "its metadata is not a dict"),
    ],
)
def test_header_that_contradicts_the_model_is_refused(change, match, files, tmp_path):
    state = json.dumps(json.loads(files["model.json"]) | change).encode()
    assert_refused(tmp_path, files | {"model.json": state}, match)


def test_arrays_that_contradict_the_model_are_refused(files, tmp_path):
    arrays = safetensors.numpy.load(files["arrays.safetensors"])
    for number, (name, array) in enumerate(arrays.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        changed = array[:-1] if array.ndim else array.astype(np.float16)
        content = safetensors.numpy.save(arrays | {name: changed})
        assert_refused(folder, files | {"arrays.safetensors": content}, "the array has the dtype")


def modules(value):
    """All nets in JSON."""
    if isinstance(value, dict) and "module" in value:
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from modules(item)


def test_net_that_needs_more_than_its_arrays_is_refused(folders, tmp_path):
    state = json.loads(folders[3]["model.json"])
    (net,) = modules(state)
    net["config"]["dict"][0][1] = 10**15
    content = json.dumps(state).encode()
    assert_refused(
        tmp_path, folders[3] | {"model.json": content}, "the configuration needs .* but the arrays hold fewer"
    )


def tensors(header, content=b""):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        (2**62).to_bytes(8, "little"),
        tensors({"0": {"dtype": "F64", "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 8),
        tensors({"0": {"dtype": "F64", "shape": [2**60, 2**60], "data_offsets": [0, 8]}}, b"\0" * 8),
        tensors({"0": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, b"\0" * 2),
        tensors({"0": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}}, b"\0" * 8),
    ],
    ids=["empty", "long header", "other offsets", "huge shape", "dtype that numpy lacks", "hole"],
)
def test_malformed_arrays_are_refused(content, files, tmp_path):
    match = r"arrays\.safetensors is damaged|the arrays lack it|the array has the dtype"
    assert_refused(tmp_path, files | {"arrays.safetensors": content}, match)


@pytest.mark.parametrize(
    "name", ["../model.json", "/etc/passwd", "part-0.skops/..", "weights.pt", "part-x.skops", "a\0b"]
)
def test_names_of_other_files_are_refused(name, files, tmp_path):
    write_files(tmp_path, files)
    with (tmp_path / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(ValueError, match=r"SHA256SUMS names .*, which is not a file of a saved model"):
        tabrec.load(tmp_path)


def test_folder_in_place_of_a_file_is_refused(files, tmp_path):
    write_files(tmp_path, files)
    (tmp_path / "model.json").unlink()
    (tmp_path / "model.json").mkdir()
    with pytest.raises(ValueError, match=r"'model\.json' is missing"):
        tabrec.load(tmp_path)


def test_compressed_part_is_refused(files, tmp_path):
    """A few compressed bytes can become many."""
    name = next(name for name in files if name.endswith(".skops"))
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(files[name])) as given, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for entry in given.namelist():
            made.writestr(entry, given.read(entry))
    assert_refused(tmp_path, files | {name: packed.getvalue()}, "it is compressed")


def entries(value, path=()):
    """The places of all values in JSON."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from entries(item, (*path, key))


ODD_VALUES = [None, True, -1, 10**9, 0.5, "", "x", "0", [], {}, [[]], {"same": 0}, {"tuple": 1}, {"array": "0"}]


@given(data=st.data())
def test_mutated_json_is_loaded_or_refused(folders, data, tmp_path_factory):
    files = data.draw(st.sampled_from(folders), "folder")
    state = json.loads(files["model.json"])
    place = data.draw(st.sampled_from(list(entries(state))[1:]), "place")
    holder = state
    for key in place[:-1]:
        holder = holder[key]
    if data.draw(st.booleans(), "remove"):
        del holder[place[-1]]
    else:
        holder[place[-1]] = data.draw(st.sampled_from(ODD_VALUES), "value")
    folder = tmp_path_factory.mktemp("mutated")
    with suppress(UnreadableModel):  # the ValueError of all that is wrong with a folder
        load_files(folder, files | {"model.json": json.dumps(state).encode()})


@given(data=st.data())
def test_mutated_bytes_are_loaded_or_refused(folders, data, tmp_path_factory):
    files = data.draw(st.sampled_from(folders), "folder")
    name = data.draw(st.sampled_from(sorted(files)), "file")
    content = bytearray(files[name])
    start = data.draw(st.integers(0, len(content) - 1), "start")
    end = data.draw(st.integers(start, min(start + 8, len(content))), "end")
    content[start:end] = data.draw(st.binary(max_size=8), "bytes")
    folder = tmp_path_factory.mktemp("mutated")
    with suppress(UnreadableModel):  # the ValueError of all that is wrong with a folder
        load_files(folder, files | {name: bytes(content)})
