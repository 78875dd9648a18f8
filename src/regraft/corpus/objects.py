"""Raw files out of an object store or from a web server, pinned by what the store lists: keys, sizes and tags."""

import fnmatch
import re
from dataclasses import dataclass

from regraft.core import ConfigError, Context, Kind, Metrics, stage

FOLDER = "objects"
SCHEMES = ("s3", "gs", "az", "file", "http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsConfig:
    """Which objects. Credentials and endpoints come from the environment, such as `AWS_ACCESS_KEY_ID`, `AWS_REGION`
    and `AWS_ENDPOINT`, `GOOGLE_SERVICE_ACCOUNT` or `AZURE_STORAGE_ACCOUNT_NAME`; `AWS_SKIP_SIGNATURE=true` asks a
    public bucket without any.
    """

    url: str
    """Store and prefix: `s3://bucket/crawl/2024`, `gs://`, `az://container`, `file://`, or `https://` with `keys`."""
    listing: str = ""
    """Digest of what the store lists. Leave it empty once, and the error says it."""
    pattern: str = "*"
    """A glob over the keys below the prefix; `*` matches `/` too."""
    keys: tuple[str, ...] = ()
    """The keys themselves, for a web server, which lists nothing."""

    def __post_init__(self) -> None:
        scheme, found, rest = self.url.partition("://")
        if not found or scheme not in SCHEMES or not rest:
            raise ConfigError(f"url is {self.url!r}; give one that begins with {', '.join(SCHEMES)} and ://.")
        if "@" in rest.partition("/")[0] or "?" in rest:
            raise ConfigError("url holds a name, a secret or a query; those belong into the environment.")
        if scheme in ("http", "https") and not self.keys:
            raise ConfigError(f"url is {self.url!r}: a web server lists nothing. Name the files below it in keys.")
        if self.listing and not re.fullmatch("[0-9a-f]{64}", self.listing):
            raise ConfigError(f"listing is {self.listing!r}, not 64 hexadecimal digits.")

    def matches(self, key: str) -> bool:
        return fnmatch.fnmatchcase(key, self.pattern)


@stage(version=1, makes=Kind.FILES, describe=lambda config: config.url)
def fetch_objects(config: ObjectsConfig, ctx: Context) -> Metrics:
    """Copy the objects into the artifact, under their keys below the prefix.

    Raises:
        ConfigError: nothing matches, or the store lists something else than what was pinned; says the digest.
        RegraftError: the store cannot be reached, an object is another one by now, or a key is not safe.
    """
    from regraft.corpus.download import download, listed
    from regraft.corpus.members import link_members

    objects = listed(config)
    download(config, objects, ctx)
    sizes = link_members([found.key for found in objects], ctx.scratch / FOLDER, ctx.out)
    return {"files": len(sizes), "bytes": sum(sizes), "origin": config.url}
