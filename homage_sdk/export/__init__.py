"""Pure functions to the formats of other tools, and one function that writes their files."""

from homage_sdk.export.action_genome import ActionGenome, action_genome
from homage_sdk.export.coco import coco_document
from homage_sdk.export.csv import csv_tables
from homage_sdk.export.write import FORMATS, NothingToExportError, export, export_pictures

__all__ = [
    "FORMATS",
    "ActionGenome",
    "NothingToExportError",
    "action_genome",
    "coco_document",
    "csv_tables",
    "export",
    "export_pictures",
]
