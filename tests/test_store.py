"""Stored files carry the hash of their content: every alteration is found; files without one are not verified."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from bayes_npp.errors import OutputError
from bayes_npp.store import (
    NOT_VERIFIED,
    VERIFIED,
    read_dataset,
    read_sealed_json,
    read_tree,
    remove_leftovers,
    with_ending,
    write_files,
    write_netcdf,
    write_sealed_json,
    write_text,
    write_tree,
)
from tests.conftest import REFERENCE

CONTENT = {"found": [0.1, 1e-300, float("nan"), None, "text"], "a": {"b": 1}}


@pytest.fixture
def tree():
    draws = np.random.default_rng(1).standard_normal((2, 50))
    stats = xr.Dataset({"energy": (("chain", "draw"), draws)})
    posterior = xr.Dataset({"slope": (("chain", "draw", "group"), draws[..., None])}, {"group": ["north"]})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def verdict_of(read):
    try:
        return read()
    except OutputError:
        return "refused"


def test_a_tree_comes_back_verified(tree, tmp_path):
    write_tree(tree, tmp_path / "fit.nc")
    found = read_tree(tmp_path / "fit.nc")
    assert found.attrs.pop("content") == VERIFIED
    assert found.identical(tree)
    with xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf") as plain:  # others read it too
        assert plain.load().identical(tree)


@pytest.mark.parametrize("seed", range(20))
def test_a_byte_of_a_tree_flipped_anywhere_is_found(tree, tmp_path, seed):
    path = tmp_path / "fit.nc"
    write_tree(tree, path)
    whole = bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    whole[random.integers(len(whole))] ^= 1 << random.integers(8)
    path.write_bytes(whole)
    # Not verified where it is a byte of the words before the hash.
    assert verdict_of(lambda: read_tree(path).attrs["content"]) in ("refused", NOT_VERIFIED)


def test_a_tree_cut_off_is_never_verified(tree, tmp_path):
    path = tmp_path / "fit.nc"
    write_tree(tree, path)
    whole = path.read_bytes()
    for keep in (0, 1, len(whole) // 2, len(whole) - 200, len(whole) - 1):
        path.write_bytes(whole[:keep])
        assert verdict_of(lambda: read_tree(path).attrs["content"]) != VERIFIED, keep


def test_a_tree_written_again_by_others_is_not_verified(tree, tmp_path):
    path = tmp_path / "fit.nc"
    write_tree(tree, path)
    changed = read_tree(path)
    changed["posterior"]["slope"] = changed["posterior"]["slope"] + 1
    changed.to_netcdf(path, engine="h5netcdf")
    assert read_tree(path).attrs["content"] == NOT_VERIFIED


def test_a_fit_of_a_version_before_the_hashes_is_not_verified():
    assert read_tree(REFERENCE / "run_0_1" / "fits" / "groups.nc").attrs["content"] == NOT_VERIFIED
    assert read_sealed_json(REFERENCE / "run_0_1" / "manifest.json")[1] == NOT_VERIFIED


def test_a_table_of_arrays(tmp_path):
    data = xr.Dataset({"slopes": ("draw", [1.0, 2.0])})
    write_netcdf(data, tmp_path / "x.nc")
    assert read_dataset(tmp_path / "x.nc").attrs["content"] == VERIFIED


def test_json_comes_back_verified(tmp_path):
    path = tmp_path / "x.json"
    write_sealed_json(path, CONTENT)
    found, verdict = read_sealed_json(path)
    assert verdict == VERIFIED
    assert json.dumps(found, sort_keys=True) == json.dumps(CONTENT, sort_keys=True)


@pytest.mark.parametrize("seed", range(30))
def test_a_byte_of_json_flipped_anywhere_is_found(tmp_path, seed):
    path = tmp_path / "x.json"
    write_sealed_json(path, CONTENT)
    whole = bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    whole[random.integers(len(whole))] ^= 1 << random.integers(8)
    path.write_bytes(whole)
    assert verdict_of(lambda: read_sealed_json(path)[1]) in ("refused", NOT_VERIFIED)  # of the hash's own name


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "\x00", "[" * 100_000])
def test_what_is_no_table_of_keys_cannot_be_read(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(OutputError, match="cannot be read"):
        read_sealed_json(path)


def test_temporary_files_of_a_killed_process_are_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    fits = tmp_path / "fits"
    fits.mkdir()
    names = [f".bayes-npp-{ended.pid}-x.nc", f".bayes-npp-{os.getppid()}-x.nc", ".bayes-npp-x.nc", "x.nc"]
    for name in names:
        (fits / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in fits.iterdir()) == sorted(names[1:])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_one_message(tree, tmp_path, monkeypatch):
    def full(*_):
        with open("/dev/full", "wb", buffering=0) as device:
            device.write(b"x")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left"):
        write_tree(tree, tmp_path / "fit.nc")
    assert list(tmp_path.iterdir()) == []


def test_files_are_replaced_whole(tmp_path):
    write_text(tmp_path / "x.txt", "before")
    shutil.copy(tmp_path / "x.txt", tmp_path / "y.txt")
    write_text(tmp_path / "x.txt", "after\n")
    assert (tmp_path / "x.txt").read_bytes() == b"after\n"
    assert (tmp_path / "x.txt").stat().st_mode & 0o777 == 0o644


def test_files_written_at_once_are_whole_each_and_an_error_is_raised(tmp_path):
    write_files({tmp_path / "new" / "a.txt": "line\n\u7701", tmp_path / "new" / "b.bin": b"\x00\xff"})
    assert (tmp_path / "new" / "a.txt").read_bytes() == "line\n\u7701".encode()
    assert (tmp_path / "new" / "b.bin").read_bytes() == b"\x00\xff"
    with pytest.raises(OutputError, match="cannot write here"):
        write_files({tmp_path / "c": "fine", tmp_path / "new" / "a.txt" / "below": ""})
    assert not list(tmp_path.rglob(".bayes-npp-*"))


def test_a_dot_in_a_name_is_part_of_it(tmp_path):
    """Claims "slope > 0.1" and "slope > 0.2" have tables of their own."""
    assert with_ending(tmp_path / "slope > 0.1", "csv").name == "slope > 0.1.csv"
    assert with_ending(tmp_path / "H1", "svg") == tmp_path / "H1.svg"
