"""The tests' hands inside GIMP 2.10: Python 2.7, run by its batch interpreter.

Reads request.json in the folder PLACE, makes the image it describes, calls the plug-in as often as
it says, and writes answer.json. Samples travel as base64, just as GIMP holds them.
"""

import base64
import io
import json
import os
import traceback

import gimpenums
from gimpfu import gimp, pdb


def serve(place):
    with io.open(os.path.join(place, "request.json"), encoding="utf-8") as file:
        request = json.load(file)
    try:
        answer = globals()[request["function"]](**request["arguments"])
    except Exception:
        answer = {"traceback": traceback.format_exc()}
    with io.open(os.path.join(place, "answer.json"), "wb") as file:
        file.write(json.dumps(answer).encode("ascii"))


def facts(procedures, constants):
    """What the database says of procedures, and the numbers of constants; None for missing ones."""
    known = {}
    for name in procedures:
        found = pdb[str(name)] if pdb.query("^%s$" % name) else None
        known[name] = None if found is None else [list(found.params), list(found.return_vals)]
    numbers = {name: getattr(gimpenums, name, None) for name in constants}
    return {"procedures": known, "constants": numbers, "version": gimp.version}


def run(document, calls, precision=None):
    """Call the plug-in on an image: what each call returned or raised, and the image afterwards.

    A call of two parts is an edit in between, see `edit`.
    """
    pdb.gimp_plugin_enable_precision()
    image = make(document)
    if precision is not None:
        pdb.gimp_image_convert_precision(image, precision)
    results = []
    for call in calls:
        if len(call) == 2:
            edit(image, *call)
            continue
        procedure, values, mode = call
        drawable = pdb.gimp_image_get_active_drawable(image)
        try:
            group = pdb[str(procedure)](image, drawable, *values, run_mode=mode)
            results.append({"group": None if group is None else group.name})
        except RuntimeError as error:
            results.append({"error": str(error)})
    active = image.active_layer
    seen = pdb.gimp_layer_new_from_visible(image, image, "seen")
    return {
        "results": results,
        "layers": [described(layer) for layer in image.layers],
        "active": active and active.name,
        "base_type": image.base_type,
        "precision": image.precision,
        "seen": packed(seen),
        "seen_bpp": seen.bpp,
    }


def edit(image, procedure, values):
    """Call a procedure of GIMP; "@" stands for the image, "@name" for the layer of that name."""
    pdb[str(procedure)](*[meant(image, value) for value in values])


def meant(image, value):
    if not hasattr(value, "startswith") or not value.startswith("@"):
        return value
    return pdb.gimp_image_get_layer_by_name(image, value[1:]) if value[1:] else image


def make(document):
    kind, precision = document["base_type"], document["precision"]
    size = (document["width"], document["height"])
    # An indexed image begins as one in colour; its layers then get their numbers.
    base = gimpenums.RGB if kind == gimpenums.INDEXED else kind
    image = pdb.gimp_image_new_with_precision(size[0], size[1], base, precision)
    if kind == gimpenums.INDEXED:
        pdb.gimp_image_convert_indexed(image, 0, 0, 256, False, False, "")
        image.colormap = base64.b64decode(document["colormap"])
    for entry in document["layers"]:
        add(image, entry, None)
    if document["selection"]:
        fill(image.selection, document["selection"])
    image.active_layer = pdb.gimp_image_get_layer_by_name(image, document["active"])
    return image


def add(image, entry, parent):
    if "children" in entry:
        layer = pdb.gimp_layer_group_new(image)
        layer.name = entry["name"]
    else:
        layer = gimp.Layer(image, entry["name"], entry["width"], entry["height"], entry["type"])
        layer.set_offsets(*entry["offsets"])
    siblings = image.layers if parent is None else parent.children
    pdb.gimp_image_insert_layer(image, layer, parent, len(siblings))
    for child in entry.get("children", ()):
        add(image, child, layer)
    if "data" in entry:
        fill(layer, entry["data"])
    if entry.get("mask"):
        mask = layer.create_mask(gimpenums.ADD_WHITE_MASK)
        layer.add_mask(mask)
        fill(mask, entry["mask"])
        layer.edit_mask = False
    if entry.get("lock_content"):
        pdb.gimp_item_set_lock_content(layer, True)


def fill(drawable, data):
    region = drawable.get_pixel_rgn(0, 0, drawable.width, drawable.height, True, False)
    region[0 : drawable.width, 0 : drawable.height] = base64.b64decode(data)
    drawable.flush()
    drawable.update(0, 0, drawable.width, drawable.height)


def packed(drawable):
    # A fresh object: an old one remembers the depth from before a conversion.
    drawable = gimp._id2drawable(drawable.ID)
    region = drawable.get_pixel_rgn(0, 0, drawable.width, drawable.height, False, False)
    return base64.b64encode(region[0 : drawable.width, 0 : drawable.height])


def described(layer):
    parasite = layer.parasite_find("restore-old-photo")
    is_group = pdb.gimp_item_is_group(layer)
    return {
        "name": layer.name,
        "offsets": layer.offsets,
        "width": layer.width,
        "height": layer.height,
        "type": layer.type,
        "visible": bool(layer.visible),
        "opacity": layer.opacity,
        "mode": layer.mode,
        "composite_space": pdb.gimp_layer_get_composite_space(layer),
        "facts": json.loads(parasite.data.rstrip(b"\0")) if parasite else None,
        "mask": packed(layer.mask) if layer.mask else None,
        "edit_mask": bool(layer.edit_mask),
        "data": None if is_group else packed(layer),
        "children": [described(child) for child in layer.children],
    }
