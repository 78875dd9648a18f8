"""Raw files of a dataset on the Hugging Face hub, pinned by its commit."""

import fnmatch
import re
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from regraft.core import ConfigError, Context, Kind, Metrics, RegraftError, stage

FOLDER = "files"
THREADS = 4
_COMMIT = "[0-9a-f]{40}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetConfig:
    """Which files of which dataset. A token for a private one comes from the environment, as `HF_TOKEN`."""

    name: str
    """Such as `HuggingFaceFW/fineweb`."""
    revision: str
    """Commit of 40 hexadecimal digits: a branch or tag may hold something else tomorrow."""
    members: tuple[str, ...] = ("*",)
    """Globs over the names of its files; `*` matches `/` too."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", self.name):
            raise ConfigError(f"name is {self.name!r}; give the name of a dataset, such as user/dataset.")
        if not self.revision:
            raise ConfigError("revision is empty; give the commit of the dataset, or its branch to be told the commit.")
        if not self.members:
            raise ConfigError("members is empty; name at least one file of the dataset.")


@stage(version=1, makes=Kind.FILES, describe=lambda config: f"{config.name}@{config.revision[:12]}")
def fetch_dataset(config: DatasetConfig, ctx: Context) -> Metrics:
    """Copy the files of the dataset that the config names, under their own names. Code that it holds is never run.

    Raises:
        ConfigError: the revision is no commit; the error says which commit it is now.
        RegraftError: the hub cannot be reached or has no such dataset, commit or file.
    """
    from regraft.corpus.members import check_member, link_members

    if not re.fullmatch(_COMMIT, config.revision):
        raise ConfigError(
            f"{config.name}: revision {config.revision!r} is a branch or tag, which may move. "
            f"It is the commit {_commit(config)} now: give that."
        )
    names = _names(config)
    for name in names:
        check_member(name, config.name)
    _download(config, names, ctx)
    sizes = link_members(names, ctx.scratch / FOLDER, ctx.out)
    return {"files": len(sizes), "bytes": sum(sizes), "origin": f"{config.name}@{config.revision}"}


def _names(config: DatasetConfig) -> list[str]:
    """Return the files of the dataset at its commit that match, sorted."""
    from huggingface_hub import HfApi

    with _told(config):
        names = sorted(HfApi().list_repo_files(config.name, revision=config.revision, repo_type="dataset"))
    for pattern in config.members:
        if not fnmatch.filter(names, pattern):
            raise RegraftError(f"{config.name} holds nothing that matches {pattern!r}; it begins with {names[:5]}.")
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in config.members)]


def _download(config: DatasetConfig, names: Sequence[str], ctx: Context) -> None:
    """Fetch the files below scratch; those that an earlier run has fetched stay."""
    from huggingface_hub import hf_hub_download

    with ctx.track("download", len(names), "files") as ticker, ThreadPoolExecutor(THREADS) as pool, _told(config):
        fetch = partial(hf_hub_download, config.name, revision=config.revision, repo_type="dataset")
        copies = [pool.submit(fetch, filename=name, local_dir=ctx.scratch / FOLDER) for name in names]
        try:
            for copy in as_completed(copies):
                copy.result()
                ticker.advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _commit(config: DatasetConfig) -> str:
    """Return the commit that the branch or tag stands for now."""
    from huggingface_hub import HfApi

    with _told(config):
        return HfApi().dataset_info(config.name, revision=config.revision).sha or "unknown"


@contextmanager
def _told(config: DatasetConfig) -> Generator[None]:
    try:
        yield
    except Exception as error:  # the hub's client raises errors of several libraries
        raise RegraftError(
            f"{config.name}@{config.revision} cannot be had from the hub ({type(error).__name__}: {error}). Check the "
            "name, the revision, the connection and the token in HF_TOKEN."
        ) from error
