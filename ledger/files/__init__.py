"""The small files beside the database: keys, lock, write-ahead log and sign guard."""
