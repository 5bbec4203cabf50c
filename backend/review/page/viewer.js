// The photo before and after, at any zoom.
import { Divider } from "./divider.js";
import { show, text } from "./texts.js";

const LARGEST_ZOOM = 8;
const ZOOM_STEP = 1.25;
const PAN_STEP = 0.1;
// From here on single pixels are what one wants to judge.
const PIXELATED_FROM = 1.5;

const byId = (id) => document.getElementById(id);

export class Viewer {
  /** How much one step zooms. */
  step = ZOOM_STEP;
  #view = byId("view");
  #divider = new Divider(this.#view);
  #canvases = ["before", "after", "veil"].map((id) => byId(id).firstElementChild);
  #size = { width: 1, height: 1 };
  // Device pixels for one of the photo's; null fits the photo into the view.
  #zoom = null;
  // The photo's point in the middle of the view, as fractions.
  #center = { x: 0.5, y: 0.5 };

  /** onArrange is called when the photo was moved or zoomed. */
  constructor(onArrange) {
    this.onArrange = onArrange;
    new ResizeObserver(() => this.#arrange()).observe(this.#view);
    this.#view.addEventListener("keydown", (event) => this.#onKey(event));
    window.addEventListener("keyup", (event) => {
      if (event.key.toLowerCase() === "b") this.#divider.peek(false);
    });
    window.addEventListener("blur", () => this.#divider.peek(false));
    byId("zoom").addEventListener("click", (event) => {
      const { zoom } = event.target.dataset;
      if (zoom) this.#zoomTo(zoom);
    });
    for (const button of byId("zoom").querySelectorAll("[data-zoom='1'], [data-zoom='2']")) {
      const percent = button.dataset.zoom * 100;
      show(button, () => text("value.percent", { percent }));
      show(button, () => text("zoom.show", { percent }), "aria-label");
    }
  }

  /** Show a new photo, as ImageData, fitted into the view. */
  open(before) {
    this.#size = { width: before.width, height: before.height };
    for (const canvas of this.#canvases) Object.assign(canvas, this.#size);
    this.#zoom = null;
    this.#center = { x: 0.5, y: 0.5 };
    this.#divider.reset();
    for (const id of ["view", "zoom"]) byId(id).hidden = false;
    this.#draw(0, before);
    this.showAfter(before);
    this.showVeil(null);
    this.#arrange();
  }

  /** Show ImageData on the side of "after". */
  showAfter(after) {
    this.#draw(1, after);
  }

  /** Show ImageData as a veil over both sides; null takes it away. */
  showVeil(veil) {
    byId("veil").hidden = veil === null;
    if (veil !== null) this.#draw(2, veil);
  }

  /** Change a part of the veil: ImageData, and where its top left pixel lies. */
  patchVeil(part, x, y) {
    this.#draw(2, part, x, y);
  }

  /** The size of the pictures that are shown. */
  get size() {
    return this.#size;
  }

  /** CSS pixels for one of the photo's. */
  get scale() {
    return (this.#zoom ?? this.#fitting) / devicePixelRatio;
  }

  /** The photo's point below a point of the window, in pixels; it may lie outside. */
  photoPoint({ x, y }) {
    const box = this.#canvases[0].getBoundingClientRect();
    return { x: (x - box.left) / this.scale, y: (y - box.top) / this.scale };
  }

  /** The point of the view, from its top left, that shows a point of the photo. */
  viewPoint({ x, y }) {
    const { width, height } = this.#room;
    return {
      x: width / 2 + (x - this.#center.x * this.#size.width) * this.scale,
      y: height / 2 + (y - this.#center.y * this.#size.height) * this.scale,
    };
  }

  /** Move the photo, in CSS pixels. */
  pan(x, y) {
    this.#center.x -= x / (this.#size.width * this.scale);
    this.#center.y -= y / (this.#size.height * this.scale);
    this.#arrange();
  }

  /** Move a point of the photo into the view, if it is outside. */
  reveal(point) {
    const { x, y } = this.viewPoint(point);
    const { width, height } = this.#room;
    const missing = (at, room) => Math.min(0, room - at) + Math.max(0, -at);
    this.pan(missing(x, width), missing(y, height));
  }

  /** Zoom by a factor; what is below a point of the window stays there. */
  zoomBy(factor, { x, y }) {
    const box = this.#view.getBoundingClientRect();
    const now = this.#zoom ?? this.#fitting;
    this.#zoomTo(now * factor, { x: x - box.left, y: y - box.top });
  }

  #draw(index, image, x = 0, y = 0) {
    this.#canvases[index].getContext("2d").putImageData(image, x, y);
  }

  get #room() {
    return { width: this.#view.clientWidth, height: this.#view.clientHeight };
  }

  get #fitting() {
    const { width, height } = this.#room;
    const fit = Math.min(width / this.#size.width, height / this.#size.height);
    return fit * devicePixelRatio;
  }

  #arrange() {
    const { width, height } = this.#room;
    if (width === 0) return;
    const scale = this.scale;
    this.#keepInside(width / (this.#size.width * scale), height / (this.#size.height * scale));
    // Whole device pixels: between them, every pixel would be blurred.
    const snap = (value) => Math.round(value * devicePixelRatio) / devicePixelRatio;
    const x = snap(width / 2 - this.#center.x * this.#size.width * scale);
    const y = snap(height / 2 - this.#center.y * this.#size.height * scale);
    const zoom = scale * devicePixelRatio;
    for (const canvas of this.#canvases) {
      canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
      canvas.style.imageRendering = zoom >= PIXELATED_FROM ? "pixelated" : "auto";
    }
    const percent = Math.round(zoom * 100);
    show(byId("zoom-value"), () => text("value.percent", { percent }));
    this.onArrange();
  }

  #keepInside(seenX, seenY) {
    const clamp = (value, seen) =>
      seen >= 1 ? 0.5 : Math.min(Math.max(value, seen / 2), 1 - seen / 2);
    this.#center = { x: clamp(this.#center.x, seenX), y: clamp(this.#center.y, seenY) };
  }

  #zoomTo(what, point = null) {
    const now = this.#zoom ?? this.#fitting;
    const least = Math.min(this.#fitting, 1);
    let next = { fit: null, in: now * ZOOM_STEP, out: now / ZOOM_STEP }[what];
    if (next === undefined) next = Number(what);
    if (next !== null) next = Math.min(Math.max(next, least), LARGEST_ZOOM);
    if (point !== null && next !== null) this.#holdStill(point, now, next);
    this.#zoom = next;
    this.#arrange();
  }

  /** Move the centre so that what is below a point of the view stays there. */
  #holdStill(point, now, next) {
    const { width, height } = this.#room;
    const change = devicePixelRatio / now - devicePixelRatio / next;
    this.#center.x += ((point.x - width / 2) * change) / this.#size.width;
    this.#center.y += ((point.y - height / 2) * change) / this.#size.height;
  }

  #onKey(event) {
    if (event.defaultPrevented || event.target !== this.#view) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = this.#room;
    const actions = {
      ArrowLeft: () => this.pan(width * PAN_STEP, 0),
      ArrowRight: () => this.pan(-width * PAN_STEP, 0),
      ArrowUp: () => this.pan(0, height * PAN_STEP),
      ArrowDown: () => this.pan(0, -height * PAN_STEP),
      "+": () => this.#zoomTo("in"),
      "=": () => this.#zoomTo("in"),
      "-": () => this.#zoomTo("out"),
      0: () => this.#zoomTo("fit"),
      1: () => this.#zoomTo("1"),
      2: () => this.#zoomTo("2"),
      b: () => this.#divider.peek(true),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
