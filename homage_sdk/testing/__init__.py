"""What tests of your own need: label files at the size of HOMAGE, catalogs from a few words.

The names below are loaded when first used, so that importing this package stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homage_sdk.lazy import loaded_on_use

if TYPE_CHECKING:
    from homage_sdk.testing.catalogs import GraphSpec, TakeSpec, make_catalog
    from homage_sdk.testing.full_size import Scale, write_labels

__all__ = ["GraphSpec", "Scale", "TakeSpec", "make_catalog", "write_labels"]

__getattr__ = loaded_on_use(
    __name__,
    {"catalogs": "GraphSpec TakeSpec make_catalog", "full_size": "Scale write_labels"},
)
