"""Stands in for GIMP 2.10's module gimp, bound to this process's one program."""

from __future__ import absolute_import, division, unicode_literals

from plugin.stubs.document import Image
from plugin.stubs.items import Channel, Drawable, GroupLayer, Item, Layer, Parasite
from plugin.stubs.procedures import GimpError
from plugin.stubs.program import PROGRAM
from plugin.stubs.regions import PixelRgn

__all__ = [
    "Channel",
    "Drawable",
    "GroupLayer",
    "Image",
    "Item",
    "Layer",
    "Parasite",
    "PixelRgn",
    "displays_flush",
    "domain_register",
    "error",
    "get_data",
    "install_procedure",
    "main",
    "menu_register",
    "message",
    "pdb",
    "progress_init",
    "progress_update",
    "set_data",
    "version",
]

error = GimpError
version = (2, 10, 34)
pdb = PROGRAM.database
main = PROGRAM.main
message = PROGRAM.message
progress_init = PROGRAM.progress_init
progress_update = PROGRAM.progress_update
displays_flush = PROGRAM.displays_flush
domain_register = PROGRAM.domain_register
install_procedure = PROGRAM.install_procedure
menu_register = PROGRAM.menu_register
get_data = PROGRAM.get_data
set_data = PROGRAM.set_data
