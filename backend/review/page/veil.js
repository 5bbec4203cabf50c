// The scratch mask as a veil over the photo, kept up with what is painted.
import { veil } from "./composite.js";
import { reduce, reducedBox } from "./scale.js";

const COLOR = [255, 32, 48];

export class Veil {
  // What was painted since the last frame.
  #box = null;
  #isShown = false;

  constructor(viewer, mask) {
    Object.assign(this, { viewer, mask });
  }

  /** Show or hide the mask as it is now. */
  show(isShown) {
    this.#isShown = isShown;
    this.#box = null;
    this.viewer.showVeil(isShown ? this.#part(this.mask.whole).image : null);
  }

  /** Look at another mask, a layer of the shown size, until the next show(). */
  showOther(layer) {
    this.viewer.showVeil(veil(layer, COLOR));
  }

  /** Bring a box of the mask up to date, with the next frame. */
  refresh({ x0, y0, x1, y1 }) {
    if (!this.#isShown || x0 >= x1 || y0 >= y1) return;
    if (this.#box === null) requestAnimationFrame(() => this.#draw());
    const old = this.#box ?? { x0, y0, x1, y1 };
    this.#box = {
      x0: Math.min(old.x0, x0),
      y0: Math.min(old.y0, y0),
      x1: Math.max(old.x1, x1),
      y1: Math.max(old.y1, y1),
    };
  }

  #draw() {
    if (this.#box === null) return;
    const { image, x0, y0 } = this.#part(this.#box);
    this.#box = null;
    this.viewer.patchVeil(image, x0, y0);
  }

  #part(box) {
    const { mask, viewer } = this;
    const part = reducedBox(box, mask, viewer.size);
    return { image: veil(reduce(mask.values, mask, viewer.size, part), COLOR), ...part };
  }
}
