"""Pictures: reading them from files, cutting them, and what belongs to them."""

from dip_experiments.images.cutting import centre_crop, cut, resized, shrink
from dip_experiments.images.output import check_output, expanded
from dip_experiments.images.reading import (
    Array,
    bit_depth,
    check_image,
    picture_file,
    read_alpha,
    read_image,
    whole_image,
)

__all__ = [
    "Array",
    "bit_depth",
    "centre_crop",
    "check_image",
    "check_output",
    "cut",
    "expanded",
    "picture_file",
    "read_alpha",
    "read_image",
    "resized",
    "shrink",
    "whole_image",
]
