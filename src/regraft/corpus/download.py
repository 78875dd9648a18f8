"""The work of `fetch_objects`: list, compare with what was pinned, and copy, each object once."""

import hashlib
import json
import re
import shutil
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from regraft.core import ConfigError, Context, RegraftError
from regraft.corpus.members import check_member
from regraft.corpus.objects import FOLDER, ObjectsConfig

THREADS = 8
_CHUNK = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as the store lists it."""

    key: str
    size: int
    """Bytes."""
    tag: str
    """Changes with the content; empty where the store gives none."""


def listed(config: ObjectsConfig) -> list[Listed]:
    """Return the objects that match, sorted by key.

    Raises:
        ConfigError: there is none, or they are not what was pinned.
        RegraftError: the store cannot be asked, or a key is not safe.
    """
    with _told(config.url):
        store = _store(config.url)
        metas = [obstore.head(store, key) for key in config.keys] or obstore.list(store).collect()
        found = [Listed(meta["path"], meta["size"], meta["e_tag"] or "") for meta in metas]
    chosen = sorted((one for one in found if config.matches(one.key)), key=lambda one: one.key)
    if not chosen:
        raise ConfigError(f"{config.url} holds {len(found)} objects, and none matches {config.pattern!r}.")
    for one in chosen:
        check_member(one.key, config.url)
    _check_pin(config, chosen)
    return chosen


def digest(objects: Sequence[Listed]) -> str:
    """Return the SHA-256 of keys, sizes and tags."""
    rows = [[one.key, one.size, one.tag] for one in objects]
    return hashlib.sha256(json.dumps(rows).encode("ascii")).hexdigest()


def download(config: ObjectsConfig, objects: Sequence[Listed], ctx: Context) -> None:
    """Copy the objects below `ctx.scratch / FOLDER`; those that an earlier run has copied whole are not copied again.

    Raises:
        RegraftError: too little room, or an object cannot be had as it was listed.
    """
    folder = ctx.scratch / FOLDER
    missing = [one for one in objects if not (folder / one.key).exists()]
    size, free = sum(one.size for one in missing), shutil.disk_usage(ctx.scratch).free
    if size > free:
        raise RegraftError(f"{config.url}: {size:,} bytes to copy, but {free:,} are free. Choose fewer objects.")
    store = _store(config.url)
    total = sum(one.size for one in objects)
    with (
        ctx.track("download", total, "bytes", done=total - size) as ticker,
        ThreadPoolExecutor(THREADS) as pool,
        _told(config.url),
    ):
        copies = {pool.submit(_copy, store, one, folder / one.key): one for one in missing}
        try:
            for copy in as_completed(copies):
                copy.result()
                ticker.advance(copies[copy].size)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _store(url: str) -> Any:
    return from_url(url, client_options={"allow_http": True}) if url.startswith("http://") else from_url(url)


def _copy(store: Any, one: Listed, target: Path) -> None:
    """Write an object, if it still is the one that was listed, beside its place and rename it when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{hashlib.sha256(one.key.encode()).hexdigest()[:16]}")
    found = obstore.get(store, one.key, options={"if_match": one.tag} if one.tag else None)
    size = 0
    with part.open("wb") as file:
        for chunk in found.stream(min_chunk_size=_CHUNK):
            size += file.write(chunk)
    if size != one.size:
        raise RegraftError(f"{one.key} came with {size:,} bytes, but was listed with {one.size:,}. Run again.")
    part.replace(target)


def _check_pin(config: ObjectsConfig, objects: Sequence[Listed]) -> None:
    found = digest(objects)
    if found != config.listing:
        said = f"listing {config.listing} is pinned" if config.listing else "no listing is pinned"
        raise ConfigError(
            f"{config.url} lists {len(objects)} objects of {sum(one.size for one in objects):,} bytes from "
            f"{objects[0].key!r} to {objects[-1].key!r}; {said}. If these are the right ones, set listing={found!r}."
        )


@contextmanager
def _told(url: str) -> Generator[None]:
    """Say in one line, without what might be signed, why a store did not do what it was asked."""
    try:
        yield
    except (BaseError, FileNotFoundError, PermissionError, ValueError) as error:
        reason = re.sub(r"(?<=[\w/])\?\S+", "?...", str(error).partition("\n")[0])
        raise RegraftError(
            f"{url}: {reason}. Check the address, and the credentials and the endpoint in the environment."
        ) from None
