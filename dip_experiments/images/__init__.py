"""Pictures: reading them from files, cutting them, and what belongs to them."""

from dip_experiments.images.cutting import centre_crop, cut, resized, shrink
from dip_experiments.images.layers import OPPONENT, Array, Layers
from dip_experiments.images.limits import check_file
from dip_experiments.images.masks import read_mask
from dip_experiments.images.output import PLACE, check_output, expanded, write_output
from dip_experiments.images.reading import (
    bit_depth,
    check_image,
    picture_file,
    read_alpha,
    read_image,
    read_layers,
    whole_image,
)

__all__ = [
    "OPPONENT",
    "PLACE",
    "Array",
    "Layers",
    "bit_depth",
    "centre_crop",
    "check_file",
    "check_image",
    "check_output",
    "cut",
    "expanded",
    "picture_file",
    "read_alpha",
    "read_image",
    "read_layers",
    "read_mask",
    "resized",
    "shrink",
    "whole_image",
    "write_output",
]
