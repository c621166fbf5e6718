"""The plan of a batch's shards."""

from hypothesis import given
from hypothesis import strategies as st

from thresher.domain.sharding import plan

BUCKETS = st.lists(st.integers(0, 9), max_size=200)
SIZES = st.integers(1, 20)


@given(BUCKETS, SIZES)
def test_every_item_is_in_exactly_one_shard_of_its_bucket(buckets: list[int], size: int) -> None:
    shards = plan(enumerate(buckets), size)
    assert sorted(ord_ for shard in shards for ord_ in shard.ords) == list(range(len(buckets)))
    assert all(buckets[ord_] == shard.bucket for shard in shards for ord_ in shard.ords)


@given(BUCKETS, SIZES)
def test_shards_are_full_but_for_the_last_of_a_bucket(buckets: list[int], size: int) -> None:
    shards = plan(enumerate(buckets), size)
    last = {shard.bucket: shard for shard in shards}
    assert all(1 <= len(shard.ords) <= size for shard in shards)
    assert all(len(shard.ords) == size for shard in shards if shard is not last[shard.bucket])


@given(BUCKETS, SIZES)
def test_one_shard_of_each_bucket_is_the_first_and_has_its_first_item(buckets: list[int], size: int) -> None:
    firsts = [shard for shard in plan(enumerate(buckets), size) if shard.first]
    assert {shard.bucket: shard.ords[0] for shard in firsts} == {b: buckets.index(b) for b in set(buckets)}
    assert len(firsts) == len(set(buckets))


@given(BUCKETS, SIZES)
def test_shards_and_their_items_keep_the_order_of_the_submit(buckets: list[int], size: int) -> None:
    shards = plan(enumerate(buckets), size)
    assert [shard.ords[0] for shard in shards] == sorted(shard.ords[0] for shard in shards)
    assert all(shard.ords == sorted(shard.ords) for shard in shards)
