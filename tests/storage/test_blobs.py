"""Packs on a disk and in S3: written durably and privately, read by range, missing by name, deleted by the folder."""

import asyncio
import os
import secrets
import stat
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest
from tests.support.s3 import S3

from thresher.storage.blobs import BlobMissing, Blobs, Span, StoreUnusable, pack_key


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def loose_umask() -> Iterator[None]:
    """Files are private although the process would make others readable."""
    before = os.umask(0)
    yield
    os.umask(before)


async def test_a_range_of_a_pack_reads_back(tmp_path: Path) -> None:
    store = Blobs((tmp_path / "blobs").as_uri())
    await store.put("packs/batch_a/1", b"0123456789")
    assert await store.read("packs/batch_a/1", 3, 4) == b"3456"
    assert await store.read("packs/batch_a/1", 0, 10) == b"0123456789"


@pytest.mark.parametrize("left", [0, 4])
async def test_a_range_behind_the_end_of_an_object_is_missing(tmp_path: Path, left: int) -> None:
    store = Blobs((tmp_path / "blobs").as_uri())
    await store.put("packs/batch_a/1", b"0123456789"[:left])
    with pytest.raises(BlobMissing):
        await store.read("packs/batch_a/1", 3, 4)


async def test_a_store_may_lie_in_a_folder_with_a_strange_name(tmp_path: Path) -> None:
    store = Blobs((tmp_path / "a b%20ü#").as_uri())
    await store.put("packs/b/1", b"x")
    assert (tmp_path / "a b%20ü#" / "packs" / "b" / "1").read_bytes() == b"x"
    assert await store.read("packs/b/1", 0, 1) == b"x"


@pytest.mark.usefixtures("loose_umask")
async def test_packs_and_their_folders_are_for_this_user_alone(tmp_path: Path) -> None:
    await Blobs((tmp_path / "blobs").as_uri()).put("packs/batch_a/1", b"x")
    assert _mode(tmp_path / "blobs" / "packs" / "batch_a" / "1") == 0o600
    assert _mode(tmp_path / "blobs" / "packs" / "batch_a") == 0o700
    assert _mode(tmp_path / "blobs" / "packs") == 0o700


async def test_the_file_and_every_new_folder_are_synced_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[str] = set()
    real = os.fsync

    def recording(descriptor: int) -> None:
        synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    store = Blobs((tmp_path / "blobs").as_uri())
    monkeypatch.setattr("os.fsync", recording)
    await store.put("packs/batch_a/1", b"x")
    root = tmp_path / "blobs"
    assert synced == {str(root / "packs/batch_a/1"), str(root / "packs/batch_a"), str(root / "packs"), str(root)}
    synced.clear()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"

    await store.put_stream("files/7/1", chunks())
    assert synced == {str(root / "files/7/1"), str(root / "files/7"), str(root / "files"), str(root)}


async def test_a_missing_pack_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BlobMissing, match="packs/batch_a/1"):
        await Blobs((tmp_path / "blobs").as_uri()).read("packs/batch_a/1", 0, 1)


async def test_a_pack_is_never_written_over(tmp_path: Path) -> None:
    store = Blobs((tmp_path / "blobs").as_uri())
    await store.put("packs/b/1", b"first")
    with pytest.raises(StoreUnusable, match="File exists"):
        await store.put("packs/b/1", b"other")
    assert await store.read("packs/b/1", 0, 5) == b"first"


async def test_many_packs_of_one_new_batch_can_be_written_at_once(tmp_path: Path) -> None:
    store = Blobs((tmp_path / "blobs").as_uri())
    keys = [pack_key("batch_a") for _ in range(20)]
    await asyncio.gather(*(store.put(key, key.encode()) for key in keys))
    assert [await store.read(key, 0, len(key)) for key in keys] == [key.encode() for key in keys]


def test_keys_lie_under_their_batch_and_differ() -> None:
    keys = {pack_key("batch_abc123") for _ in range(1000)}
    assert len(keys) == 1000
    for key in keys:
        folder, batch, name = key.split("/")
        assert (folder, batch) == ("packs", "batch_abc123")
        assert name.isalnum()
        assert len(name) == 28


class ReadingBlobs(Blobs):
    """The real store, and which ranges were read from it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.ranges: list[tuple[str, int, int]] = []

    async def _range(self, key: str, offset: int, length: int) -> memoryview:
        self.ranges.append((key, offset, length))
        return await super()._range(key, offset, length)


async def test_ranges_that_follow_each_other_are_read_as_one_and_come_back_in_the_order_asked_for(
    tmp_path: Path,
) -> None:
    blobs = ReadingBlobs(tmp_path.as_uri())
    data = secrets.token_bytes(300_000)
    await blobs.put("packs/a", data)
    await blobs.put("packs/b", data[::-1])
    spans = [
        Span("packs/a", 100, 50),
        Span("packs/b", 0, 10),
        Span("packs/a", 0, 100),
        Span("packs/a", 1000, 5),  # behind a gap that is read with it
        Span("packs/a", 290_000, 10_000),  # behind one that is not
        Span("packs/a", 100, 50),  # the same again
        Span("packs/b", 10, 0),
    ]
    found = await blobs.read_all(spans)
    expected = [(data if span.key == "packs/a" else data[::-1])[span.offset :][: span.length] for span in spans]
    assert [bytes(one) for one in found if one is not None] == expected
    assert sorted(blobs.ranges) == [
        ("packs/a", 0, 1005),
        ("packs/a", 290_000, 10_000),
        ("packs/b", 0, 10),
    ]
    assert await blobs.read_all([]) == []


async def test_of_many_ranges_those_that_are_not_there_are_left_out(store: Blobs) -> None:
    await store.put("packs/short", b"0123456789")
    spans = [
        Span("packs/short", 0, 4),
        Span("packs/gone", 0, 4),
        Span("packs/short", 4, 6),
        Span("packs/short", 8, 4),
        Span("packs/short", 10, 4),
        Span("packs/short", 100_000, 4),
    ]
    assert await store.read_all(spans) == [b"0123", None, b"456789", None, None, None]


@pytest.fixture(params=["a folder", "S3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Blobs]:
    if request.param == "a folder":
        yield Blobs((tmp_path / "blobs").as_uri())
        return
    async with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        yield Blobs("s3://bucket/some/prefix")


async def test_a_stream_is_one_object_whatever_its_chunks_are_and_one_that_breaks_off_is_none(
    store: Blobs, tmp_path: Path
) -> None:
    data = secrets.token_bytes(6 * 2**20 + 17)

    async def chunks(sizes: Iterable[int], fault: Exception | None = None) -> AsyncIterator[bytes]:
        start = 0
        for size in sizes:
            yield data[start : start + size]
            start += size
        if fault:
            raise fault

    for number, sizes in enumerate(([], [1, 0, 9], [100_000] * 63, [len(data)])):
        await store.put_stream(f"files/1/{number}", chunks(sizes))
        whole = data[: sum(sizes)]
        assert b"".join([piece async for piece in store.stream(f"files/1/{number}", 0, len(whole))]) == whole
    assert b"".join([piece async for piece in store.stream("files/1/3", 5, 2**21)]) == data[5:][: 2**21]

    for sizes in ([5], [len(data)]):
        with pytest.raises(LookupError):
            await store.put_stream("files/1/broken", chunks(sizes, LookupError()))
        assert not await store.exists("files/1/broken")
    keys = [f"files/1/{number}" for number in range(4)]
    await store.delete([*keys, "files/1/never"])
    assert not any([await store.exists(key) for key in keys])
    await store.delete(keys)


async def test_what_was_sent_of_a_stream_that_breaks_off_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        begun = 0

        async def breaking() -> AsyncIterator[bytes]:
            nonlocal begun
            while not begun:
                yield bytes(2**20)
                begun = len(s3.uploads)
            raise LookupError

        with pytest.raises(LookupError):
            await Blobs("s3://bucket").put_stream("files/1/a", breaking())
        assert (begun, s3.uploads, s3.objects) == (1, {}, {})


async def test_deleting_a_folder_takes_what_is_in_it_and_nothing_else(store: Blobs) -> None:
    for key in ("packs/batch_a/1", "packs/batch_a/2", "packs/batch_ab/1", "packs/batch_b/1"):
        await store.put(key, b"x")
    assert await store.delete_all("packs/batch_a") == 2
    with pytest.raises(BlobMissing):
        await store.read("packs/batch_a/1", 0, 1)
    assert await store.read("packs/batch_ab/1", 0, 1) == await store.read("packs/batch_b/1", 0, 1) == b"x"
    assert await store.delete_all("packs/batch_a") == 0
    assert await store.delete_all("packs/batch_never") == 0
    await store.put("packs/batch_a/3", b"late")
    assert await store.delete_all("packs/batch_a") == 1


async def test_thousands_of_objects_are_deleted_a_thousand_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        s3.objects = {f"prefix/packs/batch_a/{number:05}": b"x" for number in range(2500)}
        assert await Blobs("s3://bucket/prefix").delete_all("packs/batch_a") == 2500
        assert s3.objects == {}
        assert s3.deletions == [1000, 1000, 500]


async def test_thousands_of_files_are_deleted_and_their_folder_too(tmp_path: Path) -> None:
    store = Blobs((tmp_path / "blobs").as_uri())
    folder = tmp_path / "blobs" / "packs" / "batch_a"
    await store.put("packs/batch_a/0", b"x")
    for number in range(1, 2500):
        (folder / str(number)).write_bytes(b"x")
    assert await store.delete_all("packs/batch_a") == 2500
    assert list((tmp_path / "blobs").rglob("*")) == [tmp_path / "blobs" / "packs"]


async def test_a_store_that_does_not_delete_is_said_to_be_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    async with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StoreUnusable, match="packs/batch_a"):
            await Blobs("s3://another").delete_all("packs/batch_a")
