// The controls of the scratch mask: tools, the way back, and the repair of what is marked.
import { Gestures } from "./gestures.js";
import { Painter } from "./painter.js";

const ACTIONS = ["undo", "redo", "clear", "invert"];

const byId = (id) => document.getElementById(id);

export class MaskPanel {
  #review = null;

  /** onRepair is called when the marked places shall be repaired. */
  constructor(viewer, onRepair) {
    this.painter = new Painter(viewer, {
      onPaint: (box) => this.#review.veil.refresh(box),
      onStep: () => this.#seeMask(false),
    });
    new Gestures(byId("view"), viewer, this.painter);
    byId("show-mask").addEventListener("change", () => {
      if (!byId("show-mask").checked) this.painter.choose("move");
      this.refresh();
    });
    byId("repair").addEventListener("click", onRepair);
    for (const action of ACTIONS) byId(action).addEventListener("click", () => this.#do(action));
    window.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Work on a photo's mask; until something was found there is none to paint on. */
  open(review) {
    this.#review = review;
    this.refresh();
  }

  /** Show the mask, and what can be done with it, as they are now. */
  refresh() {
    this.#review.veil.show(byId("show-mask").checked);
    this.painter.attach(this.#review.hasMask ? this.#review.mask : null);
    this.showActions();
  }

  /** Offer what is possible at the moment. */
  showActions() {
    const { hasMask, mask, isStale } = this.#review;
    const tools = byId("tools").querySelectorAll("input");
    for (const control of [...tools, byId("clear"), byId("invert")]) control.disabled = !hasMask;
    byId("undo").disabled = !mask.canUndo;
    byId("redo").disabled = !mask.canRedo;
    byId("repair").disabled = !isStale;
    byId("repair").classList.toggle("primary", isStale);
  }

  /** Nobody paints what they do not see. */
  #seeMask(isWhole) {
    const isNew = !byId("show-mask").checked;
    byId("show-mask").checked = true;
    if (isNew || isWhole) this.#review.veil.show(true);
    this.showActions();
  }

  #do(action) {
    if (byId(action).disabled || this.#review.mask.isOpen) return;
    this.#review.mask[action]();
    this.#seeMask(true);
  }

  #onKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || this.#review === null) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    this.#do(key === "y" || event.shiftKey ? "redo" : "undo");
  }
}
