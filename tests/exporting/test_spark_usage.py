"""What `audit replay --spark` refuses before a cluster is asked."""

from pathlib import Path

import pytest

from tests.cli.conftest import pathbook
from tests.witness.logs import LOG


def test_a_cluster_and_an_export_belong_together(tmp_path: Path) -> None:
    """An export without a cluster, and a cluster without an export, are usage errors."""
    for line in ([str(tmp_path)], ["--spark", "local[1]"]):
        ran = pathbook("audit", "replay", *line)
        assert (ran.code, ran.out) == (2, "")
        assert "--spark MASTER and EXPORT belong together" in ran.err


@pytest.mark.parametrize("option", ["--published", "--state", "--checkpoint", "--key"])
def test_options_without_an_effect_on_a_fold_are_refused(option: str, tmp_path: Path) -> None:
    """Each is named. Nothing is made, and no cluster is started."""
    (checkpoint := tmp_path / "checkpoint").write_text("pathbook/book\n", "utf-8")
    values = {"--checkpoint": str(checkpoint), "--key": str(LOG.key)}
    value = values.get(option, str(tmp_path / "made"))
    ran = pathbook("audit", "replay", str(tmp_path), "--spark", "local[1]", option, value)
    assert (ran.code, ran.out) == (2, "")
    assert f"Leave out {option}" in ran.err
    assert "it has no effect on the fold" in ran.err
    assert list(tmp_path.iterdir()) == [checkpoint]
