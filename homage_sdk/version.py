"""The version of homage_sdk, for rooms below the package's own names."""

__version__ = "0.2.0"
