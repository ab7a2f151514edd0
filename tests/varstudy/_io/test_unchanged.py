"""A file that stays the same is read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from varstudy._io.unchanged import once


def test_a_file_is_read_again_where_it_is_another_or_was_written_since(tmp_path: Path) -> None:
    seen: list[str] = []

    def read(path: Path) -> list[str]:
        seen.append(path.name)
        return [path.read_text()]

    reader = once(read)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    assert reader(one) is reader(one)
    assert [reader(two), reader(one), reader(one)] == [["2"], ["1"], ["1"]]
    assert seen == ["one", "two", "one"]
    one.write_text("longer")
    assert reader(one) == ["longer"]
    one.unlink()
    with pytest.raises(FileNotFoundError):
        reader(one)


def test_what_is_raised_is_not_kept(tmp_path: Path) -> None:
    calls = []

    def read(path: Path) -> None:
        calls.append(path)
        raise ValueError("cut")

    reader = once(read)
    (tmp_path / "file").write_text("")
    for _ in range(2):
        with pytest.raises(ValueError, match="cut"):
            reader(tmp_path / "file")
    assert len(calls) == 2
