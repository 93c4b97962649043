"""The catalog: a folder of versioned Parquet tables, written whole or not at all."""
