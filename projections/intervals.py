"""Changes become intervals: each row ends where the next of its key begins, and keeps what that one leaves out.

In Arrow, not in SQL: carrying 30 columns by window functions took 24 ms of processor time a batch, this takes 3
(measured, 3,500 rows).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

OPEN = 2**62  # to_seq of a row that still holds
_YES = pa.array([True], pa.bool_())


def begins(rows: pa.Table, key: str) -> pa.Array:
    """For each of the rows, which stand in order of their key, whether it is the first of its key."""
    keys = rows[key].combine_chunks()
    if len(keys) < 2:
        return pa.array([True] * len(keys), pa.bool_())
    return pa.concat_arrays([_YES, pc.not_equal(keys[1:], keys[:-1])])


def intervals(rows: pa.Table, key: str) -> pa.Table:
    """Rows in order of key and ``from_seq``, with ``to_seq``; a NULL becomes the value of the row before of its key."""
    if not len(rows):
        return rows.append_column("to_seq", pa.array([], pa.int64()))
    first = begins(rows, key)
    place = pa.array(range(len(rows)), pa.int64())
    nothing = pa.scalar(None, pa.int64())
    columns = {}
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        if column.null_count:
            known = pc.or_(pc.is_valid(column), first)
            column = column.take(pc.fill_null_forward(pc.if_else(known, place, nothing)))
        columns[name] = column
    opened = rows["from_seq"].combine_chunks()
    last_of_key = pa.concat_arrays([first[1:], _YES])
    following = pa.concat_arrays([opened[1:], pa.array([OPEN], pa.int64())])
    columns["to_seq"] = pc.if_else(last_of_key, pa.scalar(OPEN, pa.int64()), following)
    return pa.table(columns)
