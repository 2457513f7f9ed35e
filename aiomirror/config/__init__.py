"""What a run is told: the settings, their sources, and one frozen value of it all; without IO."""

from aiomirror.config.asked import Inputs, inputs, overriding, requested
from aiomirror.config.build import build, pruning
from aiomirror.config.document import Document, read_document
from aiomirror.config.kinds import byte_count
from aiomirror.config.layers import Given, Layer, of_arguments, of_environment
from aiomirror.config.machines import Machine
from aiomirror.config.settings import DEFAULTS, SETTINGS, Setting
from aiomirror.config.times import duration, point_in_time
from aiomirror.config.told import Told
from aiomirror.config.upstream import default_index
from aiomirror.config.values import Config, Connection, Following, ProjectRules

__all__ = [
    "DEFAULTS",
    "SETTINGS",
    "Config",
    "Connection",
    "Document",
    "Following",
    "Given",
    "Inputs",
    "Layer",
    "Machine",
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
    "overriding",
    "point_in_time",
    "pruning",
    "read_document",
    "requested",
]
