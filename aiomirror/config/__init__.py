"""What a run is told: the settings, their sources, and one frozen value of it all; without IO."""

from aiomirror.config.build import Inputs, Told, build, default_index, inputs, pruning, requested
from aiomirror.config.document import Document, read_document
from aiomirror.config.kinds import byte_count
from aiomirror.config.layers import Given, Layer, of_arguments, of_environment
from aiomirror.config.settings import DEFAULTS, SETTINGS, Setting
from aiomirror.config.times import duration, point_in_time
from aiomirror.config.values import Config, ProjectRules

__all__ = [
    "DEFAULTS",
    "SETTINGS",
    "Config",
    "Document",
    "Given",
    "Inputs",
    "Layer",
    "ProjectRules",
    "Setting",
    "Told",
    "build",
    "byte_count",
    "default_index",
    "duration",
    "inputs",
    "of_arguments",
    "of_environment",
    "point_in_time",
    "pruning",
    "read_document",
    "requested",
]
