// The photo before and after: zoom, pan, and the border between the two.
import { text } from "./texts.js";

const LARGEST_ZOOM = 8;
const ZOOM_STEP = 1.25;
const PAN_STEP = 0.1;
const BORDER_STEP = 0.02;
// From here on single pixels are what one wants to judge.
const PIXELATED_FROM = 1.5;

const byId = (id) => document.getElementById(id);

export class Viewer {
  #view = byId("view");
  #divider = byId("divider");
  #canvases = ["before", "after", "veil"].map((id) => byId(id).firstElementChild);
  #size = { width: 1, height: 1 };
  // Device pixels for one of the photo's; null fits the photo into the view.
  #zoom = null;
  // The photo's point in the middle of the view, as fractions.
  #center = { x: 0.5, y: 0.5 };
  #border = 0.5;
  #showsBefore = false;

  constructor() {
    new ResizeObserver(() => this.#arrange()).observe(this.#view);
    this.#listenToPointer();
    this.#listenToDivider();
    this.#view.addEventListener("keydown", (event) => this.#onKey(event));
    window.addEventListener("keyup", (event) => event.key.toLowerCase() === "b" && this.#peek(false));
    window.addEventListener("blur", () => this.#peek(false));
    byId("zoom").addEventListener("click", (event) => {
      const { zoom } = event.target.dataset;
      if (zoom) this.#zoomTo(zoom);
    });
    for (const button of byId("zoom").querySelectorAll("[data-zoom='1'], [data-zoom='2']")) {
      const percent = button.dataset.zoom * 100;
      button.textContent = text("zoom.percent", { percent });
      button.setAttribute("aria-label", text("zoom.show", { percent }));
    }
  }

  /** Show a new photo, as ImageData, fitted into the view. */
  open(before) {
    this.#size = { width: before.width, height: before.height };
    for (const canvas of this.#canvases) Object.assign(canvas, this.#size);
    this.#zoom = null;
    this.#center = { x: 0.5, y: 0.5 };
    this.#border = 0.5;
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

  #draw(index, image) {
    this.#canvases[index].getContext("2d").putImageData(image, 0, 0);
  }

  get #room() {
    return { width: this.#view.clientWidth, height: this.#view.clientHeight };
  }

  get #fitting() {
    const { width, height } = this.#room;
    const fit = Math.min(width / this.#size.width, height / this.#size.height);
    return fit * devicePixelRatio;
  }

  get #scale() {
    return (this.#zoom ?? this.#fitting) / devicePixelRatio;
  }

  #arrange() {
    const { width, height } = this.#room;
    if (width === 0) return;
    const scale = this.#scale;
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
    byId("zoom-value").textContent = text("zoom.percent", { percent: Math.round(zoom * 100) });
    this.#placeBorder();
  }

  #keepInside(seenX, seenY) {
    const clamp = (value, seen) =>
      seen >= 1 ? 0.5 : Math.min(Math.max(value, seen / 2), 1 - seen / 2);
    this.#center = { x: clamp(this.#center.x, seenX), y: clamp(this.#center.y, seenY) };
  }

  #placeBorder() {
    const border = this.#showsBefore ? 1 : this.#border;
    const percent = Math.round(border * 100);
    byId("before").style.clipPath = `inset(0 ${100 - border * 100}% 0 0)`;
    this.#divider.style.left = `${this.#border * 100}%`;
    this.#divider.classList.toggle("away", this.#showsBefore);
    this.#divider.setAttribute("aria-valuenow", percent);
    this.#divider.setAttribute("aria-valuetext", text("view.divider.value", { percent }));
    byId("tag-before").classList.toggle("away", border < 0.08);
    byId("tag-after").classList.toggle("away", border > 0.92);
  }

  #moveBorder(to) {
    this.#border = Math.min(Math.max(to, 0), 1);
    this.#placeBorder();
  }

  #peek(showsBefore) {
    this.#showsBefore = showsBefore;
    this.#placeBorder();
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

  #pan(x, y) {
    this.#center.x -= x / (this.#size.width * this.#scale);
    this.#center.y -= y / (this.#size.height * this.#scale);
    this.#arrange();
  }

  #onKey(event) {
    if (event.target !== this.#view || event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = this.#room;
    const actions = {
      ArrowLeft: () => this.#pan(width * PAN_STEP, 0),
      ArrowRight: () => this.#pan(-width * PAN_STEP, 0),
      ArrowUp: () => this.#pan(0, height * PAN_STEP),
      ArrowDown: () => this.#pan(0, -height * PAN_STEP),
      "+": () => this.#zoomTo("in"),
      "=": () => this.#zoomTo("in"),
      "-": () => this.#zoomTo("out"),
      0: () => this.#zoomTo("fit"),
      1: () => this.#zoomTo("1"),
      2: () => this.#zoomTo("2"),
      b: () => this.#peek(true),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  #listenToPointer() {
    this.#view.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.#divider.contains(event.target)) return;
      this.#view.setPointerCapture(event.pointerId);
      this.#view.classList.add("panning");
    });
    this.#view.addEventListener("pointermove", (event) => {
      if (this.#view.hasPointerCapture(event.pointerId)) {
        this.#pan(event.movementX, event.movementY);
      }
    });
    this.#view.addEventListener("lostpointercapture", () => this.#view.classList.remove("panning"));
    this.#view.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const box = this.#view.getBoundingClientRect();
        const point = { x: event.clientX - box.left, y: event.clientY - box.top };
        this.#zoomTo(event.deltaY < 0 ? "in" : "out", point);
      },
      { passive: false },
    );
  }

  #listenToDivider() {
    this.#divider.addEventListener("pointerdown", (event) => {
      this.#divider.setPointerCapture(event.pointerId);
    });
    this.#divider.addEventListener("pointermove", (event) => {
      if (!this.#divider.hasPointerCapture(event.pointerId)) return;
      const box = this.#view.getBoundingClientRect();
      this.#moveBorder((event.clientX - box.left) / box.width);
    });
    this.#divider.addEventListener("keydown", (event) => {
      const moves = {
        ArrowLeft: this.#border - BORDER_STEP,
        ArrowDown: this.#border - BORDER_STEP,
        ArrowRight: this.#border + BORDER_STEP,
        ArrowUp: this.#border + BORDER_STEP,
        PageDown: this.#border - 5 * BORDER_STEP,
        PageUp: this.#border + 5 * BORDER_STEP,
        Home: 0,
        End: 1,
      };
      if (!(event.key in moves)) return;
      event.preventDefault();
      this.#moveBorder(moves[event.key]);
    });
  }
}
