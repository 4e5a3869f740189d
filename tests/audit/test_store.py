import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from privbench.audit.context import Silent
from privbench.audit.errors import BadInputError
from privbench.audit.persist import load_images, load_split, save_images, save_split
from privbench.audit.store import Store, content_hash
from privbench.audit.types import ImageSet, Split
from privbench.audit.whole import write_text_whole, write_whole


def test_a_stage_is_computed_once(tmp_path):
    calls = []
    store = Store(tmp_path, Silent())
    for _ in range(3):
        folder = store.stage("toy", {"a": 1}, lambda f: (calls.append(f), (f / "x").write_text("1")))
    assert len(calls) == 1
    assert (folder / "x").read_text() == "1"
    store.stage("toy", {"a": 2}, lambda f: calls.append(f))
    assert len(calls) == 2


def test_the_key_does_not_depend_on_the_order_of_inputs():
    assert Store.key({"a": 1, "b": {"c": 2, "d": 3}}) == Store.key({"b": {"d": 3, "c": 2}, "a": 1})
    assert Store.key({"a": 1}) != Store.key({"a": "1"})


def test_a_stage_that_fails_is_not_there_and_is_taken_up_again(tmp_path):
    store = Store(tmp_path, Silent())

    def fails(folder):
        (folder / "piece").write_text("kept")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.stage("toy", {}, fails)
    seen = []
    store.stage("toy", {}, lambda f: seen.append((f / "piece").read_text()))
    assert seen == ["kept"]


def _slow_stage(root, log):
    def compute(folder):
        with open(log, "a") as file:
            file.write("start\n")
        for i in range(50):
            write_text_whole(folder / f"piece-{i}", "x" * 1000)
            time.sleep(0.02)

    Store(root, Silent()).stage("slow", {}, compute)


def test_a_kill_at_any_moment_leaves_nothing_half_done(tmp_path):
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    process = context.Process(target=_slow_stage, args=(tmp_path / "store", str(log)))
    process.start()
    while not log.exists():
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    slow = tmp_path / "store" / "slow"
    assert not list(slow.glob("*/stage.json"))
    assert all(piece.stat().st_size == 1000 for piece in slow.rglob("piece-*"))
    _slow_stage(tmp_path / "store", str(log))
    folder = next(slow.glob("*/stage.json")).parent
    assert len(list(folder.glob("piece-*"))) == 50


def test_two_processes_share_one_computation(tmp_path):
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    processes = [context.Process(target=_slow_stage, args=(tmp_path / "store", str(log))) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0, 0]
    assert log.read_text() == "start\n"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "value"
    write_text_whole(path, "before")
    with pytest.raises(ValueError, match="halfway"), write_whole(path) as temporary:
        temporary.write_text("aft")
        raise ValueError("halfway")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_store_that_cannot_be_written_is_a_clear_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BadInputError, match=r"store folder .* is (not a folder|a file, not a folder)\nchoose another"):
        Store(blocked, Silent()).stage("toy", {}, lambda _: None)


def test_a_full_disk_is_a_clear_error(tmp_path):
    def full(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(BadInputError, match="is on a full disk"):
        Store(tmp_path, Silent()).stage("toy", {}, full)


def test_content_counts_not_the_name_or_the_time(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "x").write_bytes(b"1")
    assert content_hash(first) == content_hash(second)
    (second / "sub" / "x").write_bytes(b"2")
    assert content_hash(first) != content_hash(second)


def an_image_set(names, rng):
    n = len(names)
    return ImageSet(
        rng.random((n, 1, 4, 4), dtype=np.float32),
        np.array(names),
        label=np.arange(n, dtype=np.int64),
        mask=np.ones((n, 4, 4), dtype=np.uint8),
        center=np.array(["ä"] * n),
    )


def test_images_come_back_as_they_were_without_pickles(tmp_path):
    images = an_image_set(["p", "q"], np.random.default_rng(0))
    save_images(images, tmp_path, "some")
    back = load_images(tmp_path, "some")
    assert isinstance(back.pixels, np.memmap)
    for name in ("pixels", "patient", "label", "mask", "center"):
        np.testing.assert_array_equal(getattr(back, name), getattr(images, name))
    assert back.visit is None
    assert {p.suffix for p in tmp_path.iterdir()} == {".npy", ".json"}


def test_a_memory_map_written_in_place_is_not_copied(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.lib.format.open_memmap(tmp_path / "members.npy", mode="w+", dtype=np.float32, shape=(2, 1, 4, 4))
    pixels[:] = 0.5
    members = ImageSet(pixels, np.array(["a", "b"]))
    split = Split(members, an_image_set(["c"], rng), an_image_set(["d"], rng))
    save_split(split, tmp_path)
    assert not (tmp_path / "members.pixels.npy").exists()
    back, marks = load_split(tmp_path)
    assert back.members.pixels.mean() == 0.5
    assert [(m.part, m.patients) for m in marks] == [("members", 2), ("holdout", 1), ("reference", 1)]


def test_a_fingerprint_changes_with_one_pixel(tmp_path):
    rng = np.random.default_rng(0)
    images = an_image_set(["a", "b"], rng)
    split = Split(images, an_image_set(["c"], rng), an_image_set(["d"], rng))
    save_split(split, tmp_path / "one")
    images.pixels[1, 0, 3, 3] += 0.001
    save_split(split, tmp_path / "two")
    one, two = (json.loads((tmp_path / f / "split.json").read_text()) for f in ("one", "two"))
    assert one[0]["sha256"] != two[0]["sha256"]
    assert one[1:] == two[1:]


def test_a_patient_in_two_parts_is_refused_without_naming_anyone():
    rng = np.random.default_rng(0)
    with pytest.raises(BadInputError, match="2 patients are in both 'members' and 'holdout'") as caught:
        Split(an_image_set(["secret", "b"], rng), an_image_set(["secret", "b", "c"], rng), an_image_set(["d"], rng))
    assert "secret" not in str(caught.value)


def test_a_plugins_own_file_that_may_not_be_read_is_not_blamed_on_the_store(tmp_path):
    def refused(_):
        raise PermissionError(13, "Permission denied", "/data/scan.nii.gz")

    with pytest.raises(PermissionError):
        Store(tmp_path, Silent()).stage("toy", {}, refused)
