"""The tests' hands inside GIMP: its functions are called from outside over a Unix socket.

gimp-console runs serve() in its batch interpreter and stays in it. A request is a pickled
(function name, positional, named arguments); the answer is ("ok", value) or ("error", traceback).
Only built-in types travel. What can be done with images is in inside_image.py.
"""

import gc
import pickle
import socket
import struct
import traceback

import gi
import inside_image
from inside_image import image_of, item_of

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GObject  # noqa: E402


def serve(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1)
    while True:
        connection, _ = server.accept()
        with connection:
            name, positional, named = receive(connection)
            if name == "quit":
                send(connection, ("ok", None))
                return
            try:
                answer = ("ok", function(name)(*positional, **named))
            except Exception:
                answer = ("error", traceback.format_exc())
            # A buffer that Python still holds when its image goes makes GIMP kill the caller.
            gc.collect()
            send(connection, answer)


def function(name):
    return getattr(inside_image, name, None) or globals()[name]


def receive(connection):
    (length,) = struct.unpack(">Q", read_exactly(connection, 8))
    return pickle.loads(read_exactly(connection, length))


def read_exactly(connection, length):
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(length - len(data), 1 << 20))
        if not part:
            raise EOFError("The other side went away.")
        data += part
    return bytes(data)


def send(connection, value):
    data = pickle.dumps(value, protocol=4)
    connection.sendall(struct.pack(">Q", len(data)) + data)


def version():
    return Gimp.version()


def procedure(name):
    """A procedure's arguments as {name: (type, default)}; None if GIMP has no such procedure."""
    found = Gimp.get_pdb().lookup_procedure(name)
    if found is None:
        return None
    return {
        "menu_label": found.get_menu_label(),
        "menu_paths": list(found.get_menu_paths()),
        "arguments": {
            spec.name: (GObject.type_name(spec.value_type), default_of(spec))
            for spec in found.get_arguments()
        },
    }


def default_of(spec):
    value = spec.get_default_value()
    # An enum is an int to isinstance, but its class is not known outside.
    return value if type(value) in (bool, int, float, str, type(None)) else repr(value)


def run(name, image, drawables, mode="NONINTERACTIVE", **arguments):
    """Call one of our procedures: (status, id of the group or None, error text)."""
    found = Gimp.get_pdb().lookup_procedure(name)
    config = found.create_config()
    config.set_property("run-mode", getattr(Gimp.RunMode, mode))
    config.set_property("image", image_of(image))
    config.set_core_object_array("drawables", [item_of(number) for number in drawables])
    for key, value in arguments.items():
        config.set_property(key.replace("_", "-"), value)
    result = found.run(config)
    status = result.index(0).value_nick
    if status != "success":
        return status, None, Gimp.get_pdb().get_last_error()
    group = result.index(1)
    return status, group.get_id() if group else None, ""
