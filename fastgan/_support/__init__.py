"""What every package of fastgan may use, and no user: imports, extras, messages, files, processes, seeds, errors."""
