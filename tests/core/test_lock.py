from pathlib import Path

import pytest

from regraft.core import RegraftError
from regraft.core.lock import exclusive


def test_a_store_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    with pytest.raises(RegraftError, match="cannot be written to"), exclusive(tmp_path / "file/.locks/a.lock", "a"):
        pass
