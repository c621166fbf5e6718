"""One attempt at a file: what is wrong with the file is its failure, what is wrong with the store is not."""

from hashlib import sha256
from pathlib import Path

import pytest
from obstore.exceptions import GenericError
from tests.pipeline.kit import MakeFetcher, MakeRobots

from thresher.convert.converter import Converter
from thresher.domain.choices import Choices
from thresher.pipeline.file import File, read_file
from thresher.pipeline.item import Tools
from thresher.storage.blobs import Blobs
from thresher.storage.inputs import Bytes


class Away(Blobs):
    """A store that answers nobody, as S3 does when it is away."""

    async def read(self, key: str, offset: int, length: int) -> bytes:
        raise GenericError("503 Service Unavailable")


async def test_that_the_store_is_away_says_nothing_of_the_file(
    make_fetcher: MakeFetcher, make_robots: MakeRobots, tmp_path: Path
) -> None:
    fetcher, settings = await make_fetcher()
    file = File("file:1", "a.txt", Bytes("files/1/a", 3, sha256(b"abc").digest()))
    robots, converter = await make_robots(), Converter.of(settings)
    with pytest.raises(GenericError):  # the engine tries again what ended in an error that is nobody's
        await read_file(file, Tools(fetcher, converter, robots, Away(tmp_path.as_uri())), [Choices()])
    [gone] = await read_file(file, Tools(fetcher, converter, robots, Blobs(tmp_path.as_uri())), [Choices()])
    assert gone.failure
    assert (gone.failure.code, gone.record["code"], gone.frame) == ("file_gone", "file_gone", None)
    assert not fetcher.lease().held
