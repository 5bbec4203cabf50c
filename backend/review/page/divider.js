// The border between before and after: dragged, or moved by keys as a slider.
import { show, text } from "./texts.js";

const STEP = 0.02;
// So near to the edge of the view, the word for the hidden side is in the way.
const LEAST_SHARE = 0.08;

const byId = (id) => document.getElementById(id);

export class Divider {
  #handle = byId("divider");
  #border = 0.5;
  #showsBefore = false;

  constructor(view) {
    this.#listen(view);
  }

  /** Put it into the middle. */
  reset() {
    this.#move(0.5);
  }

  /** Show only the photo as it was, as long as this is wanted. */
  peek(showsBefore) {
    this.#showsBefore = showsBefore;
    this.#place();
  }

  #move(to) {
    this.#border = Math.min(Math.max(to, 0), 1);
    this.#place();
  }

  #place() {
    const border = this.#showsBefore ? 1 : this.#border;
    byId("before").style.clipPath = `inset(0 ${100 - border * 100}% 0 0)`;
    this.#handle.style.left = `${this.#border * 100}%`;
    this.#handle.classList.toggle("away", this.#showsBefore);
    const percent = Math.round(border * 100);
    this.#handle.setAttribute("aria-valuenow", percent);
    show(this.#handle, () => text("view.divider.value", { percent }), "aria-valuetext");
    byId("tag-before").classList.toggle("away", border < LEAST_SHARE);
    byId("tag-after").classList.toggle("away", border > 1 - LEAST_SHARE);
  }

  #listen(view) {
    this.#handle.addEventListener("pointerdown", (event) => {
      this.#handle.setPointerCapture(event.pointerId);
    });
    this.#handle.addEventListener("pointermove", (event) => {
      if (!this.#handle.hasPointerCapture(event.pointerId)) return;
      const box = view.getBoundingClientRect();
      this.#move((event.clientX - box.left) / box.width);
    });
    this.#handle.addEventListener("keydown", (event) => {
      const moves = {
        ArrowLeft: this.#border - STEP,
        ArrowDown: this.#border - STEP,
        ArrowRight: this.#border + STEP,
        ArrowUp: this.#border + STEP,
        PageDown: this.#border - 5 * STEP,
        PageUp: this.#border + 5 * STEP,
        Home: 0,
        End: 1,
      };
      if (!(event.key in moves)) return;
      event.preventDefault();
      this.#move(moves[event.key]);
    });
  }
}
