"""Tables: one reader of CSV and Parquet for all commands, typed columns, and the way to numbers and back.

| module | what it holds |
|---|---|
| `fastgan.data.table.options` | `TableOptions`: what a user says about a file; `Dialect`: what was found out |
| `fastgan.data.table.find` | encoding, separator and header of a file |
| `fastgan.data.table.reading` | `read_table`: the cells of a file, on pandas |
| `fastgan.data.table.columns`, `infer` | what each column holds: `Column`, `infer_schema` |
| `fastgan.data.table.schema`, `decode` | `TableSchema`: cells to rows of numbers and back |
| `fastgan.data.table.writing` | `write_table`: the cells as a file again |
| `fastgan.data.table.scan` | where cells lie in a text; `rewrite` changes some and leaves the rest to the letter |
"""

from fastgan.data.table.columns import Column
from fastgan.data.table.infer import infer_schema
from fastgan.data.table.options import Dialect, TableOptions
from fastgan.data.table.reading import Table, read_table
from fastgan.data.table.schema import TableSchema
from fastgan.data.table.writing import write_table

__all__ = ["Column", "Dialect", "Table", "TableOptions", "TableSchema", "infer_schema", "read_table", "write_table"]
