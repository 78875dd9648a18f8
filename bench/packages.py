"""The Debian documentation packages that the corpus is made of: which, of which version, and the pages in them."""

import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Package:
    """A package of Debian 12, by name, version and content."""

    name: str
    version: str
    sha256: str

    def fetch(self, cache: Path) -> Path:
        """Return the package file in `cache`, downloaded with apt if it is not there.

        Raises:
            SystemExit: the archive has no such version any more, or the content differs.
        """
        path = cache / f"{self.name}_{self.version.replace(':', '%3a')}_all.deb"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            asked = f"{self.name}={self.version}"
            if subprocess.run(["apt-get", "download", "--quiet", asked], cwd=cache, check=False).returncode:
                raise SystemExit(
                    f"apt-get has no {asked}. Run `apt-get update` and try again; archives drop versions that a point "
                    "release replaced, which a snapshot of them still has."
                )
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise SystemExit(f"{path.name} is not the file that the benchmark was made with.")
        return path


def pages(package: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each HTML page in a package file, in its order; nothing is unpacked to disk."""
    command = ["dpkg-deb", "--fsys-tarfile", package]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            page = member.isreg() and member.name.endswith((".html", ".htm"))
            file = archive.extractfile(member) if page else None
            if file is not None:
                yield member.name.removeprefix("./"), file.read()


PACKAGES = (
    Package("apache2-doc", "2.4.71-1~deb12u1", "a7b3d1131c1c63dbf9999b28e75f9a133d30f70492b419936bd51759ac77a01f"),
    Package("cmake-doc", "3.25.1-1", "6e805a758ffed87cc7ea234cf0a7a1bb8ae78b93d8b5783e7fb989a6320f8133"),
    Package("debian-faq-zh-cn", "11.1", "3545356b1aa04d87e91dd15e8406210cf5b4f476662e597897bcb42234591758"),
    Package("debian-faq", "11.1", "427426e0cfa6888622fc1d72631071cb4b5a1f86ccde722e7820bcef284de5d0"),
    Package("debian-handbook", "11.20220922", "3d5dbeac1f1afc9c094eab9d0f701f6ecff99c4927d5a4794cf6c85678134faa"),
    Package("debian-reference-de", "2.100", "3b0ce65fd63e75ddf8eb07ca36293425135080e690a07e06a6ac8bc8040ef0aa"),
    Package("debian-reference-en", "2.100", "9f31d3a17df505de09689ca255512ea58c1fc47c59bb1b0c7bf1c23362e9743f"),
    Package("debian-reference-fr", "2.100", "01424cba9bfa2e13166da22d3d692d33a22ec7d8ef935ec81fd8802746087f65"),
    Package("debian-reference-zh-cn", "2.100", "6d2d8d9a646397e28b04cdff23d2e4374101ebf9be348e35961af62c8a2d0977"),
    Package("debian-reference-zh-tw", "2.100", "d2785bbfcb9c3eb6343a37520df595a720bb30fa634d4cf0750d1c04a0226057"),
    Package(
        "erlang-doc", "1:25.2.3+dfsg-1+deb12u4", "7d172cecfdd9c2930b27c776ad226ffcc84670375cf830c79ee41c6944e8a1c8"
    ),
    Package("ghc-doc", "9.0.2-4", "a7c77e36c8906f82eef411ceeba13b7d663b7766a5ecc6659e3405889e0429c9"),
    Package("git-doc", "1:2.39.5-0+deb12u3", "3c89668a11053a6bafade3de1f611f4613db31e082af63f43d8c5b69ad8795ec"),
    Package(
        "installation-guide-amd64",
        "20230508+deb12u1",
        "812c43e1dc906daf671e3efe953dc023205c238e5bd5a3021ce4ca142793573a",
    ),
    Package("libboost1.74-doc", "1.74.0+ds1-21", "10a7c2aa42068bcb71093fc375bf3a9ef2235baa91cc4960aa0c02df3c733d4a"),
    Package(
        "libreoffice-help-de", "4:7.4.7-1+deb12u14", "00490b63c509ac96f7f212d6a6e40452d3e0d1f97ccf4b824dd5ec4c01e8277f"
    ),
    Package(
        "libreoffice-help-en-us",
        "4:7.4.7-1+deb12u14",
        "8faa840285734d6cfe1ed25537b48f07e74bd6412e3917bf8e5f8a653f7b3712",
    ),
    Package(
        "libreoffice-help-fr", "4:7.4.7-1+deb12u14", "c796530d3e95af1ea4d054076682efc8aad2b569ae9513f3d4a776b2df3fd206"
    ),
    Package(
        "libreoffice-help-zh-cn",
        "4:7.4.7-1+deb12u14",
        "db867cdece4c2f9c7eebe65e519c6cf386fdcf49d6e061db3dffec893b3e1dee",
    ),
    Package(
        "libreoffice-help-zh-tw",
        "4:7.4.7-1+deb12u14",
        "f79cb2bee8d8d783efd825051a957b4c97a56dad5a05bde0ee90e66099331209",
    ),
    Package("linux-doc-6.1", "6.1.192-2", "d1d1b5a602f0d439ecc39e713e044bf2df30d839fb4bf8a7b859ba3273c47993"),
    Package("maint-guide-zh-cn", "1.2.53", "d605b60a034f63857bc44205aed5ad7ba6e17d0d2b1ba5e79179b4e7ec4ee4bc"),
    Package(
        "openjdk-17-doc", "17.0.21.1+2-1~deb12u1", "3e04db24dbcb31d598774973998f1d8212e3424e288befbfef235077325f841d"
    ),
    Package("postgresql-doc-15", "15.20-0+deb12u1", "4c44bf2c599f208b3f46454a6cf7a72e25ec46ff74d37b59dd31ad76b00eebb7"),
    Package(
        "python-django-doc", "3:3.2.25-0+deb12u7", "87307f067916df72e17180d35b7cde5c7ea6080336cda518efd7f6e66988a7ca"
    ),
    Package("python-pandas-doc", "1.5.3+dfsg-2", "4998405ff6b12432f46594963e95554ade1104705795428396345fca58d853f8"),
    Package("python-scipy-doc", "1.10.1-2", "a237fdcef1675622f1a5d8a291c64feba140615130ee625554f94772d4ea3ad7"),
    Package("python3.11-doc", "3.11.2-6+deb12u9", "5b3594189d6ef9a6963ce0347fd307a1cc67620ad697e144db366070e2e146be"),
    Package(
        "qtbase5-doc-html", "5.15.8+dfsg-11+deb12u3", "e052497a7db970f002807e3543043c11e46135641b8284b0a419086ba64f5f47"
    ),
    Package("sqlite3-doc", "3.40.1-2+deb12u2", "466e30d7066e2641fa13e56bc662a2ad521b8cc9c17dde9c9dac3d4f105e32f2"),
)
"""277 MB of packages. Mostly English; German, French, Chinese and twenty other languages in some of them."""
