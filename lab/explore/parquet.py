"""Rows as a Parquet file; imported only where one is written, since it needs pyarrow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from guest.errors import GuestError

_pyarrow: Any = pyarrow  # it has no annotations
_parquet: Any = parquet


def write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows, all with the same keys."""
    try:
        _parquet.write_table(_pyarrow.Table.from_pylist(list(rows)), path)
    except OSError as error:
        raise GuestError(f"cannot write this file: {error}", file=str(path)) from None
