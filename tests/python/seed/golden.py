"""Golden files: what a run told, as text that is read before it is committed. UPDATE_GOLDEN=1 writes them anew."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, told: str) -> None:
    """Fails unless `told` is what the golden file `name` says."""
    file = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(told, encoding="utf-8")
    assert file.is_file(), f"{name} is missing: write it with UPDATE_GOLDEN=1"
    assert told == file.read_text(encoding="utf-8")
