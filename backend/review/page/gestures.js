// Pointers on the photo, of a mouse, a pen or fingers: one moves it or uses the tool, two zoom.

const MIDDLE_BUTTON = 1;
// What a notch of a wheel counts in pixels and in lines; touchpads send parts of it.
const NOTCH = [100, 3];

export class Gestures {
  // By pointer, where it was last.
  #points = new Map();
  #usesTool = false;

  /** viewer: {pan, zoomBy}; tool: what one pointer does instead of moving the photo.
   *
   * A tool has isActive, begin(event), move(event), end() and cancel(), and hover(event).
   */
  constructor(view, viewer, tool) {
    Object.assign(this, { view, viewer, tool });
    view.addEventListener("pointerdown", (event) => this.#begin(event));
    view.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
      view.addEventListener(kind, (event) => this.#end(event));
    }
    view.addEventListener("wheel", (event) => this.#turn(event), { passive: false });
  }

  #begin(event) {
    const isMiddle = event.button === MIDDLE_BUTTON;
    if ((event.button > 0 && !isMiddle) || event.target.closest("[role=slider]")) return;
    event.preventDefault();
    this.view.focus({ preventScroll: true });
    this.view.setPointerCapture(event.pointerId);
    this.#points.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#points.size > 1) {
      // What looked like a stroke was the first finger of two.
      this.#stopTool((tool) => tool.cancel());
    } else if (this.tool.isActive && !isMiddle) {
      this.#usesTool = true;
      this.tool.begin(event);
    }
    this.view.classList.toggle("panning", !this.#usesTool);
  }

  #move(event) {
    this.tool.hover(event);
    const last = this.#points.get(event.pointerId);
    if (last === undefined) return;
    const now = { x: event.clientX, y: event.clientY };
    this.#points.set(event.pointerId, now);
    if (this.#usesTool) this.tool.move(event);
    else if (this.#points.size === 1) this.viewer.pan(now.x - last.x, now.y - last.y);
    else this.#pinch(event.pointerId, last, now);
  }

  #pinch(moved, last, now) {
    const [other] = [...this.#points].filter(([id]) => id !== moved).map(([, point]) => point);
    const apart = (one, two) => Math.max(Math.hypot(one.x - two.x, one.y - two.y), 1);
    const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    this.viewer.pan((now.x - last.x) / 2, (now.y - last.y) / 2);
    this.viewer.zoomBy(apart(now, other) / apart(last, other), middle);
  }

  #end(event) {
    if (!this.#points.delete(event.pointerId)) return;
    this.#stopTool((tool) => (event.type === "pointercancel" ? tool.cancel() : tool.end()));
    if (this.#points.size === 0) this.view.classList.remove("panning");
  }

  #stopTool(stop) {
    if (this.#usesTool) stop(this.tool);
    this.#usesTool = false;
  }

  #turn(event) {
    event.preventDefault();
    const notches = -event.deltaY / (NOTCH[event.deltaMode] ?? 1);
    const steps = Math.min(Math.max(notches, -1), 1);
    this.viewer.zoomBy(this.viewer.step ** steps, { x: event.clientX, y: event.clientY });
  }
}
