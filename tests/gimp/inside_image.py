"""Making, changing and reading images inside GIMP; images and layers are named by their ids."""

import gi

gi.require_version("Babl", "0.1")
gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
from gi.repository import Babl, Gegl, Gimp, Gio  # noqa: E402

TYPES = {
    "RGB": (Gimp.ImageType.RGB_IMAGE, Gimp.ImageType.RGBA_IMAGE),
    "GRAY": (Gimp.ImageType.GRAY_IMAGE, Gimp.ImageType.GRAYA_IMAGE),
    "INDEXED": (Gimp.ImageType.INDEXED_IMAGE, Gimp.ImageType.INDEXEDA_IMAGE),
}


def image_of(number):
    return Gimp.Image.get_by_id(number)


def item_of(number):
    return Gimp.Item.get_by_id(number)


def new_image(width, height, base="RGB", precision="u8-non-linear-gamma", icc=None):
    value = getattr(Gimp.Precision, precision.replace("-gamma", "").replace("-", "_").upper())
    kind = "RGB" if base == "INDEXED" else base
    image = Gimp.Image.new_with_precision(width, height, getattr(Gimp.ImageBaseType, kind), value)
    if icc is not None:
        image.set_color_profile(Gimp.ColorProfile.new_from_icc_profile(icc))
    return image.get_id()


def icc(space):
    """The bytes of a profile that is not sRGB."""
    profile = Gimp.ColorProfile
    made = profile.new_rgb_adobe() if space == "wide" else profile.new_d50_gray_lab_trc()
    return bytes(made.get_icc_profile())


def add_layer(
    image, name, width, height, data, model="R'G'B'", depth="u8", offset=(0, 0), parent=None, at=0
):
    """A layer with these gamma-encoded values in the image's own space; alpha if in the model."""
    picture = image_of(image)
    base = {0: "RGB", 1: "GRAY", 2: "INDEXED"}[int(picture.get_base_type())]
    layer = Gimp.Layer.new(
        picture,
        name,
        width,
        height,
        TYPES[base][model.endswith("A")],
        100.0,
        Gimp.LayerMode.NORMAL,
    )
    picture.insert_layer(layer, item_of(parent) if parent else None, at)
    layer.set_offsets(*offset)
    write(layer.get_id(), data, model, depth)
    return layer.get_id()


def add_group(image, name, parent=None):
    group = Gimp.GroupLayer.new(image_of(image), name)
    image_of(image).insert_layer(group, item_of(parent) if parent else None, 0)
    return group.get_id()


def add_text(image, text, size):
    layer = Gimp.TextLayer.new(
        image_of(image), text, Gimp.context_get_font(), size, Gimp.Unit.pixel()
    )
    image_of(image).insert_layer(layer, None, 0)
    return layer.get_id()


def add_mask(layer, data, edit=False):
    item = item_of(layer)
    mask = item.create_mask(Gimp.AddMaskType.WHITE)
    item.add_mask(mask)
    area = Gegl.Rectangle.new(0, 0, item.get_width(), item.get_height())
    buffer = mask.get_buffer()
    buffer.set(area, "Y u8", data)
    buffer.flush()
    item.set_edit_mask(edit)
    return mask.get_id()


def add_filter(layer, operation):
    item = item_of(layer)
    item.append_filter(Gimp.DrawableFilter.new(item, operation, operation))


def add_link(image, path):
    """A layer that shows a file; None where GIMP has no such layers."""
    if not hasattr(Gimp, "LinkLayer"):
        return None
    layer = Gimp.LinkLayer.new(image_of(image), Gio.File.new_for_path(path))
    image_of(image).insert_layer(layer, None, 0)
    return layer.get_id()


def convert_indexed(image):
    image_of(image).convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 256, False, False, ""
    )


def open_file(path):
    """The image in a file, as GIMP opens it."""
    return Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path)).get_id()


def save(image, path):
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image_of(image), Gio.File.new_for_path(path), None)


def format_in_space(item, model, depth):
    if model == "Y":
        return f"Y {depth}"
    space = Babl.format_get_space(item.get_format())
    return Babl.get_name(Babl.format_with_space(f"{model} {depth}", space))


def read(layer, model="R'G'B'", depth="u8"):
    item = item_of(layer)
    area = Gegl.Rectangle.new(0, 0, item.get_width(), item.get_height())
    name = format_in_space(item, model, depth)
    return item.get_buffer().get(area, 1.0, name, Gegl.AbyssPolicy.NONE)


def write(layer, data, model="R'G'B'", depth="u8"):
    item = item_of(layer)
    area = Gegl.Rectangle.new(0, 0, item.get_width(), item.get_height())
    buffer = item.get_buffer()
    buffer.set(area, format_in_space(item, model, depth), data)
    buffer.flush()
    item.update(0, 0, item.get_width(), item.get_height())


def visible(image, model="R'G'B'A", depth="u8"):
    """All that is seen of the canvas, in the image's own space."""
    picture = image_of(image)
    layer = Gimp.Layer.new_from_visible(picture, picture, "visible")
    data = read(layer.get_id(), model, depth)
    layer.delete()
    return data


def select(image, shape, *numbers):
    picture = image_of(image)
    replace = Gimp.ChannelOps.REPLACE
    if shape == "none":
        Gimp.Selection.none(picture)
    elif shape == "all":
        Gimp.Selection.all(picture)
    elif shape == "rectangle":
        picture.select_rectangle(replace, *numbers)
    else:
        picture.select_ellipse(replace, *numbers)


def duplicate(image):
    return image_of(image).duplicate().get_id()


def copy_layers(image, target, only=None):
    """Copies of all layers at the top of another image, as "Open as Layers" does; or of one."""
    for layer in [item_of(only)] if only else reversed(image_of(image).get_layers()):
        copy = Gimp.Layer.new_from_drawable(layer, image_of(target))
        image_of(target).insert_layer(copy, None, 0)


def add_channel(image, name):
    picture = image_of(image)
    size = picture.get_width(), picture.get_height()
    channel = Gimp.Channel.new(picture, name, *size, 50.0, Gegl.Color.new("red"))
    picture.insert_channel(channel, None, 0)
    return channel.get_id()


def activate_channel(image, channel):
    image_of(image).set_selected_channels([Gimp.Item.get_by_id(channel)])


def selected_channels(image):
    return [channel.get_id() for channel in image_of(image).get_selected_channels()]


def feather(image, radius):
    Gimp.Selection.feather(image_of(image), radius)


def float_selection(layer):
    item = item_of(layer)
    return Gimp.Selection.float(item.get_image(), [item], 1, 1).get_id()


def save_selection(image):
    return Gimp.Selection.save(image_of(image)).get_id()


def remove(layer):
    item = item_of(layer)
    item.get_image().remove_layer(item)


def raise_to_top(layer):
    item_of(layer).get_image().raise_item_to_top(item_of(layer))


def selection(image):
    """The selection's values over the canvas."""
    picture = image_of(image)
    area = Gegl.Rectangle.new(0, 0, picture.get_width(), picture.get_height())
    buffer = picture.get_selection().get_buffer()
    return buffer.get(area, 1.0, "Y u8", Gegl.AbyssPolicy.NONE)


def activate(image, layers):
    image_of(image).set_selected_layers([item_of(layer) for layer in layers])


def selected(image):
    return [layer.get_id() for layer in image_of(image).get_selected_layers()]


def call_on(layer, method, *arguments):
    """Call a method of an item; an item's argument or result is its id."""
    result = getattr(item_of(layer), method)(*arguments)
    return result.get_id() if isinstance(result, Gimp.Item) else result


def call_on_image(image, method, *arguments):
    result = getattr(image_of(image), method)(*arguments)
    return result.get_id() if isinstance(result, Gimp.Item) else result


def layers(image):
    """All layers from the top, as nested descriptions."""
    return [describe(layer) for layer in image_of(image).get_layers()]


def describe(layer):
    _, x, y = layer.get_offsets()
    mask = layer.get_mask()
    parasite = layer.get_parasite("restore-old-photo")
    return {
        "id": layer.get_id(),
        "name": layer.get_name(),
        "box": (x, y, x + layer.get_width(), y + layer.get_height()),
        "visible": layer.get_visible(),
        "alpha": layer.has_alpha(),
        "mode": layer.get_mode().value_nick,
        "mask": mask.get_id() if mask else None,
        "edit_mask": bool(mask) and layer.get_edit_mask(),
        "parasite": bytes(parasite.get_data()).decode("ascii") if parasite else None,
        "group": layer.is_group(),
        "children": [describe(child) for child in layer.get_children()] if layer.is_group() else [],
    }


def base_type(image):
    return image_of(image).get_base_type().value_nick


def show(image):
    """Open a window on the image."""
    return Gimp.Display.new(image_of(image)).get_id()


def hide(layer):
    """Switch a layer off, as a click on its eye does."""
    item_of(layer).set_visible(False)
    Gimp.displays_flush()


def close_display(number):
    """Close a window; its image goes with it."""
    if Gimp.Display.id_is_valid(number):
        Gimp.Display.get_by_id(number).delete()


def forget_undo(image):
    """Nothing before this can be undone, and the image counts as saved."""
    picture = image_of(image)
    picture.undo_disable()
    picture.undo_enable()
    picture.clean_all()


def clean(image):
    image_of(image).clean_all()


def delete(image):
    image_of(image).delete()


def images():
    return [image.get_id() for image in Gimp.get_images()]
