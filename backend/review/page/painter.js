// Paint on the scratch mask and erase from it, with a pointer or with the keyboard.
import { number, show, text } from "./texts.js";

const ERASER_BUTTON = 32;
// Of the photo's shorter side.
const LARGEST_BRUSH = 1 / 3;
const FIRST_BRUSH = 1 / 50;
const SIZE_KEYS = { ",": -1, "[": -1, ".": 1, "]": 1 };
const TOOL_KEYS = { m: "move", Escape: "move", p: "paint", e: "erase" };
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const byId = (id) => document.getElementById(id);

export class Painter {
  #tool = "move";
  #mask = null;
  // Where the brush is and was, in pixels of the mask.
  #at = null;
  #isErasing = false;

  /** onPaint gets the box of the mask that changes; onStep is called when a stroke is done. */
  constructor(viewer, { onPaint, onStep }) {
    Object.assign(this, { viewer, onPaint, onStep });
    const view = byId("view");
    // Before the viewer's own keys.
    view.addEventListener("keydown", (event) => this.#onKey(event), { capture: true });
    view.addEventListener("pointerleave", () => this.#moveTo(null));
    byId("tools").addEventListener("change", (event) => this.choose(event.target.value));
    byId("brush-size").addEventListener("input", () => this.showBrush());
  }

  /** Paint on a mask from now on; null takes the tools away. */
  attach(mask) {
    const isNew = mask !== this.#mask;
    // A pointer that is still down belongs to what it began on.
    if (isNew && this.#mask?.isOpen) this.#mask.end();
    this.#mask = mask;
    if (isNew && mask !== null) {
      const side = Math.min(mask.width, mask.height);
      this.#at = null;
      byId("brush-size").value = 100 * (Math.log(side * FIRST_BRUSH) / Math.log(this.#largest));
    }
    this.choose(mask === null ? "move" : this.#tool);
  }

  get isActive() {
    return this.#tool !== "move";
  }

  /** Take a tool: "move", "paint" or "erase". */
  choose(tool) {
    this.#tool = this.#mask === null ? "move" : tool;
    byId(`tool-${this.#tool}`).checked = true;
    byId("view").classList.toggle("painting", this.isActive);
    byId("brush-field").hidden = !this.isActive;
    if (this.isActive) this.onStep();
    this.showBrush();
  }

  /** The pointer moves, whether it draws or not. */
  hover(event) {
    // A stroke that is drawn moves the brush itself, from where it was.
    if (this.isActive && !this.#mask.isOpen) this.#moveTo(this.#pointOf(event));
  }

  /** A pointer begins a stroke. */
  begin(event) {
    this.#isErasing = this.#tool === "erase" || (event.buttons & ERASER_BUTTON) !== 0;
    this.#mask.begin();
    this.#at = this.#pointOf(event);
    this.#drawTo(this.#at);
  }

  /** It goes on. */
  move(event) {
    if (!this.#mask?.isOpen) return;
    // A quick pointer moves more often than the page is asked to look.
    const events = event.getCoalescedEvents();
    for (const each of events.length > 0 ? events : [event]) this.#drawTo(this.#pointOf(each));
  }

  /** It is done. */
  end() {
    if (!this.#mask?.isOpen) return;
    this.#mask.end();
    this.onStep();
  }

  /** It was none. */
  cancel() {
    if (!this.#mask?.isOpen) return;
    this.#mask.cancel();
    this.onPaint(this.#mask.whole);
    this.onStep();
  }

  /** Show the brush where it is, as large as it paints. */
  showBrush() {
    const pixels = this.#diameter;
    const size = () => text("mask.pixels", { pixels: number(pixels, 0) });
    show(byId("brush-value"), size);
    show(byId("brush-size"), size, "aria-valuetext");
    byId("brush").hidden = !this.isActive || this.#at === null;
    if (byId("brush").hidden) return;
    const { x, y } = this.viewer.viewPoint(this.#shown(this.#at));
    const side = Math.max((pixels * this.viewer.scale) / this.#ratio, 3);
    const { style } = byId("brush");
    style.width = style.height = `${side}px`;
    style.transform = `translate(${x - side / 2}px, ${y - side / 2}px)`;
  }

  // Pixels of the mask for one that is shown.
  get #ratio() {
    return this.#mask.width / this.viewer.size.width;
  }

  get #largest() {
    return Math.max(Math.min(this.#mask.width, this.#mask.height) * LARGEST_BRUSH, 4);
  }

  get #diameter() {
    if (this.#mask === null) return 1;
    // Small sizes need the finer steps.
    return Math.max(1, Math.round(this.#largest ** (byId("brush-size").value / 100)));
  }

  #pointOf({ clientX, clientY }) {
    const { x, y } = this.viewer.photoPoint({ x: clientX, y: clientY });
    return { x: x * this.#ratio, y: (y * this.#mask.height) / this.viewer.size.height };
  }

  #shown({ x, y }) {
    return { x: x / this.#ratio, y: (y * this.viewer.size.height) / this.#mask.height };
  }

  #moveTo(point) {
    this.#at = point;
    this.showBrush();
  }

  #drawTo(point) {
    const from = this.#at ?? point;
    this.onPaint(this.#mask.paint(from, point, this.#diameter / 2, this.#isErasing));
    this.#moveTo(point);
  }

  #onKey(event) {
    if (event.target !== byId("view")) return;
    // With Alt they are the browser's, as going back is.
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#mask !== null && this.#actionOf(event)) event.preventDefault();
  }

  /** Do what a key means for the brush; false where it means nothing. */
  #actionOf({ key, shiftKey }) {
    const name = key.length === 1 ? key.toLowerCase() : key;
    if (name in TOOL_KEYS) this.choose(TOOL_KEYS[name]);
    else if (!this.isActive) return false;
    else if (name in SIZE_KEYS) this.#resize(SIZE_KEYS[name]);
    // A step within the pointer's would leave its beginning in no step at all.
    else if (this.#mask.isOpen) return name in WAYS || name === " ";
    else if (name in WAYS) this.#walk(WAYS[name], shiftKey);
    else if (name === " ") this.#stroke(this.#here);
    else return false;
    return true;
  }

  #resize(steps) {
    const slider = byId("brush-size");
    slider.value = Number(slider.value) + 4 * steps;
    this.showBrush();
  }

  get #here() {
    return this.#at ?? { x: this.#mask.width / 2, y: this.#mask.height / 2 };
  }

  #walk([x, y], draws) {
    // Half a brush draws a line without gaps, and is seen at any zoom.
    const length = Math.max(this.#diameter / 2, (2 * this.#ratio) / this.viewer.scale);
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    const to = {
      x: inside(this.#here.x + x * length, this.#mask.width),
      y: inside(this.#here.y + y * length, this.#mask.height),
    };
    if (draws) this.#stroke(to);
    else this.#moveTo(to);
    this.viewer.reveal(this.#shown(to));
  }

  #stroke(to) {
    this.#isErasing = this.#tool === "erase";
    this.#at = this.#here;
    this.#mask.begin();
    this.#drawTo(to);
    this.end();
  }
}
