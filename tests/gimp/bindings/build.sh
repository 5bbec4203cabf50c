#!/bin/sh
# Inside the tree of GIMP 2.10: compile the bindings from GIMP's source in the folder $1, and put
# them where a GIMP with Python has them.
set -eu
cd "$1"
python=/usr/lib/gimp/2.0/python
packages="gimp-2.0 gimpui-2.0 gegl-0.4 gtk+-2.0"
compile() {
    output=$1
    shift
    gcc -shared -fPIC -O1 -w -I. -I/usr/include/python2.7 -DGETTEXT_PACKAGE='"gimp20"' \
        $(pkg-config --cflags $packages) -o "$python/$output.so" "$@" $(pkg-config --libs $packages)
}
mkdir -p "$python" /usr/lib/gimp/2.0/plug-ins/python-eval
compile gimpcolor gimpcolormodule.c pygimp-colors.c
compile _gimpenums gimpenumsmodule.c
compile gimp gimpmodule.c pygimp-item.c pygimp-display.c pygimp-drawable.c pygimp-image.c \
    pygimp-parasite.c pygimp-pdb.c pygimp-tile.c pygimp-vectors.c
cp gimpfu.py gimpenums.py gimpshelf.py "$python"
printf 'def require(version):\n    pass\n' > "$python/pygtk.py"
printf 'PYTHONPATH=%s\n' "$python" > /usr/lib/gimp/2.0/environ/pygimp.env
cp plug-ins/python-eval.py /usr/lib/gimp/2.0/plug-ins/python-eval/
chmod 755 /usr/lib/gimp/2.0/plug-ins/python-eval/python-eval.py
ln -sf python2.7 /usr/bin/python2
