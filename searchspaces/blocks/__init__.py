"""The block vocabulary: what a row of a paper's table says, with every number in it.

A block expands into primitive layers; cost, Keras and TFLite all follow from that expansion, so a new block is one
class in a file of this package, an entry below and in `KINDS` of `codec.py`, and nothing elsewhere.
"""

from searchspaces.blocks.base import Block
from searchspaces.blocks.cells import CellBlock, NormBlock, ReductionBlock
from searchspaces.blocks.codec import block_from_dict, block_to_dict
from searchspaces.blocks.convolutions import ConvBlock, MBConv
from searchspaces.blocks.dense_bottlenecks import FusedMBConv, TuckerConv
from searchspaces.blocks.detection import Endpoints, ExtraMap, SSDLiteHead
from searchspaces.blocks.ends import DenseBlock, PoolBlock, RescaleBlock, SoftmaxBlock
from searchspaces.blocks.video import ClipPoolBlock, VideoMBConv

__all__ = [
    "Block",
    "CellBlock",
    "ClipPoolBlock",
    "ConvBlock",
    "DenseBlock",
    "Endpoints",
    "ExtraMap",
    "FusedMBConv",
    "MBConv",
    "NormBlock",
    "PoolBlock",
    "ReductionBlock",
    "RescaleBlock",
    "SSDLiteHead",
    "SoftmaxBlock",
    "TuckerConv",
    "VideoMBConv",
    "block_from_dict",
    "block_to_dict",
]
