// The scratch mask at the photo's full size: found or painted, with the way back.
import { enlargeRow, starts } from "./scale.js";
import { boxOf, coverWay } from "./stroke.js";

const TILE = 256;
// What undoing may cost; the oldest steps are forgotten first.
const MOST_BYTES = 256 * 2 ** 20;

export class Mask {
  /** By rows, 255 = repair, 0 = keep. */
  values;
  /** Counts up with every change. */
  revision = 0;
  #undo = [];
  #redo = [];
  // The step under way: the tiles it changes, by number, as they were.
  #open = null;
  // The last step before the mask was what the backend had found; null before the first one.
  #foundAfter = null;
  // What a saved file was made with.
  #savedRevision = null;

  constructor(width, height) {
    Object.assign(this, { width, height });
    this.values = new Uint8Array(width * height);
  }

  /** Whether somebody painted, so that this mask says what is repaired. */
  get isPainted() {
    return (this.#undo.at(-1) ?? null) !== this.#foundAfter;
  }

  /** Whether something painted would be lost with the page. */
  get isUnsaved() {
    return this.isPainted && this.revision !== this.#savedRevision;
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  get canRedo() {
    return this.#redo.length > 0;
  }

  /** Whether a step is under way. */
  get isOpen() {
    return this.#open !== null;
  }

  get whole() {
    return { x0: 0, y0: 0, x1: this.width, y1: this.height };
  }

  /** Take over what the backend found: a mask layer, which may be smaller than the photo. */
  found(layer) {
    // Before anybody painted there is nothing to go back to.
    const isFirst = this.#undo.length === 0 && this.#redo.length === 0;
    this.begin();
    const columns = starts(this.width, layer.width);
    const rows = starts(this.height, layer.height);
    const line = new Uint8Array(this.width);
    for (let row = 0; row < layer.height; row++) {
      enlargeRow(layer.pixels, row, layer, columns, line);
      for (let y = rows[row]; y < rows[row + 1]; y++) {
        if (isFirst) this.values.set(line, y * this.width);
        else this.#putLine(y, line);
      }
    }
    this.revision++;
    this.end();
    this.#foundAfter = this.#undo.at(-1) ?? null;
  }

  /** A file was saved that was made with the mask of a revision. */
  saved(revision) {
    this.#savedRevision = revision;
  }

  /** Begin a step that is undone as one. */
  begin() {
    this.#open = { tiles: new Map() };
  }

  /** End it; returns whether it changed anything. */
  end() {
    const step = this.#open;
    this.#open = null;
    if (step === null || step.tiles.size === 0) return false;
    this.#push(step);
    return true;
  }

  /** Leave the step that is under way as if it had not begun. */
  cancel() {
    if (this.#open !== null) this.#swap(this.#open);
    this.#open = null;
  }

  /** Paint (or erase) along a way, within a step; returns the box that may have changed. */
  paint(from, to, radius, isErasing) {
    coverWay(from, to, radius, this, (x, y, share) => {
      const at = y * this.width + x;
      const level = Math.round(255 * (isErasing ? 1 - share : share));
      const now = this.values[at];
      if (isErasing ? level < now : level > now) this.#set(at, x, y, level);
    });
    return boxOf(from, to, radius, this);
  }

  /** Keep everything: nothing is marked any more. */
  clear() {
    const line = new Uint8Array(this.width);
    this.begin();
    for (let y = 0; y < this.height; y++) this.#putLine(y, line);
    this.end();
  }

  /** Mark what was not marked, and the other way round. */
  invert() {
    const step = { tiles: new Map(), isInversion: true };
    this.#swap(step);
    this.#push(step);
  }

  /** Take the last step back. */
  undo() {
    this.#move(this.#undo, this.#redo);
  }

  /** Do it again. */
  redo() {
    this.#move(this.#redo, this.#undo);
  }

  #move(from, to) {
    const step = from.pop();
    if (step === undefined) return;
    this.#swap(step);
    to.push(step);
  }

  #push(step) {
    this.#undo.push(step);
    this.#redo = [];
    const bytes = ({ tiles }) => tiles.size * TILE ** 2;
    let all = this.#undo.reduce((sum, each) => sum + bytes(each), 0);
    while (all > MOST_BYTES && this.#undo.length > 1) {
      all -= bytes(this.#undo.shift());
      // What was found lies behind a step that is gone.
      if (!this.#undo.includes(this.#foundAfter)) this.#foundAfter = undefined;
    }
  }

  /** Exchange what a step holds with what is there; twice changes nothing. */
  #swap(step) {
    if (step.isInversion) {
      for (let at = 0; at < this.values.length; at++) this.values[at] = 255 - this.values[at];
    }
    for (const [number, old] of step.tiles) step.tiles.set(number, this.#replaceTile(number, old));
    this.revision++;
  }

  #replaceTile(number, tile) {
    const now = this.#copyTile(number);
    this.#eachRow(number, (start, end, from) => {
      this.values.set(tile.subarray(from, from + end - start), start);
    });
    return now;
  }

  #copyTile(number) {
    const tile = new Uint8Array(TILE ** 2);
    this.#eachRow(number, (start, end, to) => tile.set(this.values.subarray(start, end), to));
    return tile;
  }

  #eachRow(number, visit) {
    const across = Math.ceil(this.width / TILE);
    const x0 = (number % across) * TILE;
    const y0 = Math.floor(number / across) * TILE;
    const x1 = Math.min(x0 + TILE, this.width);
    for (let y = y0; y < Math.min(y0 + TILE, this.height); y++) {
      visit(y * this.width + x0, y * this.width + x1, (y - y0) * TILE);
    }
  }

  #putLine(y, line) {
    for (let x = 0, at = y * this.width; x < this.width; x++, at++) {
      if (this.values[at] !== line[x]) this.#set(at, x, y, line[x]);
    }
  }

  #set(at, x, y, level) {
    const number = Math.floor(y / TILE) * Math.ceil(this.width / TILE) + Math.floor(x / TILE);
    const { tiles } = this.#open;
    if (!tiles.has(number)) tiles.set(number, this.#copyTile(number));
    this.values[at] = level;
    this.revision++;
  }
}
