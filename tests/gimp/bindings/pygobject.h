/* Stands in for PyGObject 2, which no Debian release packages any more, so that the Python bindings
 * of GIMP 2.10 compile without GTK's own. They need it for dialogs, which the tests do not open,
 * and for the constants of gimpenums, which are made here from the same registered types.
 */
#ifndef STANDIN_PYGOBJECT_H
#define STANDIN_PYGOBJECT_H

#include <Python.h>
#include <glib-object.h>
#include <string.h>

typedef struct
{
  PyObject_HEAD
  gpointer boxed;
  GType    gtype;
  gboolean free_on_dealloc;
} PyGBoxed;

#define pyg_boxed_get(object, type) ((type *) ((PyGBoxed *) (object))->boxed)
#define pyg_boxed_check(object, wanted) \
  (! strncmp ((object)->ob_type->tp_name, "gimpcolor.", 10) && \
   ((PyGBoxed *) (object))->gtype == (wanted))
#define pyg_boxed_new(gtype, boxed, copy, own) standin_refuse ()
#define pygobject_new(object) standin_refuse ()
#define init_pygobject() ((void) 0)

static inline PyObject *
standin_refuse (void)
{
  PyErr_SetString (PyExc_NotImplementedError, "the stand-in for PyGObject has no such objects");
  return NULL;
}

static inline void
pyg_register_boxed (PyObject *names, const char *name, GType gtype, PyTypeObject *type)
{
  (void) gtype;
  if (! type->tp_alloc)
    type->tp_alloc = PyType_GenericAlloc;
  if (! type->tp_new)
    type->tp_new = PyType_GenericNew;
  if (PyType_Ready (type) == 0)
    PyDict_SetItemString (names, name, (PyObject *) type);
}

static inline void
standin_add_constant (PyObject *module, const char *name, const char *prefix, long value)
{
  size_t skipped = g_str_has_prefix (name, prefix) ? strlen (prefix) : 0;

  PyModule_AddIntConstant (module, (char *) name + skipped, value);
}

static inline void
pyg_enum_add_constants (PyObject *module, GType gtype, const char *prefix)
{
  gpointer class = g_type_class_ref (gtype);
  guint    i;

  if (G_TYPE_IS_ENUM (gtype))
    {
      GEnumClass *values = class;
      for (i = 0; i < values->n_values; i++)
        standin_add_constant (module, values->values[i].value_name, prefix,
                              values->values[i].value);
    }
  else
    {
      GFlagsClass *values = class;
      for (i = 0; i < values->n_values; i++)
        standin_add_constant (module, values->values[i].value_name, prefix,
                              values->values[i].value);
    }
  g_type_class_unref (class);
}

static inline int
pyg_enum_get_value (GType gtype, PyObject *object, gint *value)
{
  (void) gtype;
  *value = PyInt_AsLong (object);
  return PyErr_Occurred () ? -1 : 0;
}

#endif
