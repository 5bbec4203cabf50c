"""Wait for a job: a small window with a Cancel button, or GIMP's own progress without a screen.

The status bar's own Cancel kills the plug-in, so a graceful one needs a window. The job runs in a
thread, libgimp and GTK in the main thread only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import gi
from restore_old_photo_shared.errors import Cancelled
from restore_old_photo_shared.host import Outcome, Watcher
from restore_old_photo_shared.languages import Language

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GLib  # noqa: E402

Work = Callable[[Watcher], Outcome]

PULSE_MILLISECONDS = 100
# A backend that does not answer must not keep the user waiting; its closed socket cancels it.
PATIENCE_MILLISECONDS = 3000


class Parent:
    """GIMP, which started this process; nobody tells a plug-in that waits when GIMP is killed."""

    def __init__(self) -> None:
        self.pid = os.getppid()

    def is_gone(self) -> bool:
        return os.getppid() != self.pid


class QuietWatcher(Watcher):
    """Progress of a call without a window; the caller cancels by ending the process."""

    def __init__(self, language: Language) -> None:
        self.parent = Parent()
        self.sentence = ""
        Gimp.progress_init(language.say("Restore Old Photo"))

    def show(self, stage: str, fraction: float | None) -> None:
        if stage != self.sentence:
            self.sentence = stage
            Gimp.progress_set_text(stage)
        if fraction is None:
            Gimp.progress_pulse()
        else:
            Gimp.progress_update(fraction)

    def is_cancelled(self) -> bool:
        return self.parent.is_gone()


def wait_quietly(work: Work, language: Language) -> Outcome:
    watcher = QuietWatcher(language)
    try:
        return work(watcher)
    finally:
        Gimp.progress_end()


class WindowWatcher(Watcher):
    """Carries progress from the job's thread to the window, and the cancel back."""

    def __init__(self) -> None:
        self.parent = Parent()
        self.cancelled = threading.Event()
        self.latest: tuple[str, float | None] = ("", None)

    def show(self, stage: str, fraction: float | None) -> None:
        # The window looks here ten times a second; a queue would only grow.
        self.latest = (stage, fraction)

    def is_cancelled(self) -> bool:
        return self.cancelled.is_set() or self.parent.is_gone()


class ProgressWindow:
    """The window of one job.

    Args:
        title: names the action.
        language: of the words around it.
    """

    def __init__(self, title: str, language: Language) -> None:
        # Only with a screen: importing GimpUi without one ends the process.
        gi.require_version("Gtk", "3.0")
        gi.require_version("GimpUi", "3.0")
        from gi.repository import GimpUi, Gtk

        GimpUi.init("restore-old-photo")
        self.language = language
        self.watcher = WindowWatcher()
        self.loop = GLib.MainLoop()
        self.window = GimpUi.Dialog(title=title, role="restore-old-photo-progress")
        self.button = self.window.add_button(language.say("_Cancel"), Gtk.ResponseType.CANCEL)
        self.label = Gtk.Label(label=" ", xalign=0.0)
        self.bar = Gtk.ProgressBar(show_text=True, text=" ")
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=8, border_width=12)
        box.pack_start(self.label, False, False, 0)
        box.pack_start(self.bar, False, False, 0)
        self.window.get_content_area().pack_start(box, True, True, 0)
        self.window.set_default_size(420, -1)
        self.window.set_resizable(False)
        GimpUi.window_set_transient(self.window)
        self.window.connect("response", lambda *_: self.cancel())
        # Without this the window would close at once, and the job's end would find none.
        self.window.connect("delete-event", lambda *_: True)

    def cancel(self) -> None:
        if self.watcher.cancelled.is_set():
            return
        self.watcher.cancelled.set()
        self.button.set_sensitive(False)
        GLib.timeout_add(PATIENCE_MILLISECONDS, self.quit)

    def quit(self) -> bool:
        self.loop.quit()
        return bool(GLib.SOURCE_REMOVE)

    def refresh(self) -> bool:
        stage, fraction = self.watcher.latest
        if self.watcher.is_cancelled():
            stage, fraction = self.language.say("Cancelling"), None
        self.label.set_text(f"{stage}...")
        if fraction is None:
            self.bar.pulse()
            self.bar.set_text(" ")
        else:
            self.bar.set_fraction(fraction)
            self.bar.set_text(self.language.say("{percent} %", percent=round(fraction * 100)))
        return bool(GLib.SOURCE_CONTINUE)

    def wait(self, work: Work) -> Outcome:
        """Do `work` in a thread while the window lives.

        Raises:
            Cancelled: the user stopped it. What `work` raises comes out too.
        """
        ended: list[Outcome | BaseException] = []

        def do() -> None:
            try:
                ended.append(work(self.watcher))
            except BaseException as error:  # Raised again in the main thread.
                ended.append(error)
            GLib.idle_add(self.quit)

        self.window.show_all()
        timer = GLib.timeout_add(PULSE_MILLISECONDS, self.refresh)
        # A daemon does not keep the process alive when the user would not wait for it.
        threading.Thread(target=do, daemon=True).start()
        self.loop.run()
        GLib.source_remove(timer)
        self.window.destroy()
        if self.watcher.is_cancelled() or not ended:
            raise Cancelled()
        if isinstance(ended[0], BaseException):
            raise ended[0]
        return ended[0]


def has_screen() -> bool:
    """Whether a window can be shown at all."""
    gi.require_version("Gtk", "3.0")
    from gi.repository import Gtk

    return bool(Gtk.init_check(None)[0])
