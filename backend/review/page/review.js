// One photo under review: its layers, what they were made with, and the jobs that make them.
import { forgetJob, pixelsOf, runJob, sendMask, writeFile } from "./backend.js";
import { composite, shareOf, toImage } from "./composite.js";
import { Mask } from "./mask.js";
import { number, text } from "./texts.js";
import { Veil } from "./veil.js";

const FOUND = "found";
const DETECTION = { repair_scratches: false, whole_picture: false, enhance_faces: false };

export class Review {
  #base = null;
  #isClosed = false;
  #layers = [];
  // What made the layers, {id, key, strength, mask}, and what made those of the full size.
  #made = null;
  #full = null;
  #running = null;
  // The restoration that runs, {isSearch}, and the one that a look at a threshold has stopped.
  #restoring = null;
  #interrupted = null;
  #wantedMask = null;
  #detection = null;
  #isDrawing = false;
  // The revision of the mask that the backend has.
  #sentRevision = null;

  /** A photo of the backend's, shown reduced ("preview") or with all pixels ("whole").
   *
   * mask: of the photo in another size, or null; parts: {viewer, layerList, progress, settings,
   * maskPanel, onError}.
   */
  constructor(photo, size, mask, parts) {
    this.photo = photo;
    this.size = size;
    /** Whether the mask says what was found or painted. */
    this.hasMask = mask !== null;
    this.mask = mask ?? new Mask(photo.width, photo.height);
    this.veil = new Veil(parts.viewer, this.mask);
    // What is shown then has the file's very pixels, so that its layers can be saved.
    this.isExact = photo.depth === 8 && (size === "whole" || !photo.reduced);
    Object.assign(this, parts);
  }

  /** Fetch the photo, show it, and restore it. */
  async open() {
    const { photo, size } = this;
    const { width, height } = size === "whole" ? photo : photo.preview;
    const pixels = await pixelsOf(photo, size);
    if (this.#isClosed) return;
    this.#base = { width, height, channels: photo.channels, pixels };
    this.viewer.open(toImage(this.#base));
    this.layerList.describe(null);
    await this.restore();
  }

  /** Stop what runs; what was made stays. */
  cancel() {
    this.#running?.abort();
    this.#detection?.abort();
    this.#wantedMask = null;
    this.#interrupted = null;
  }

  /** Leave the photo: its jobs are forgotten, and nothing of it is shown any more. */
  close() {
    this.#isClosed = true;
    this.cancel();
    if (this.#running) this.progress.stop();
    this.#running = null;
    for (const made of [this.#made, this.#full]) if (made) forgetJob(made.id);
  }

  /** Whether the photo is there to be worked on: neither on its way nor left. */
  get #isOpen() {
    return this.#base !== null && !this.#isClosed;
  }

  /** Whether a job runs that can be cancelled. */
  get isBusy() {
    return this.#running !== null;
  }

  /** Whether the mask has changed since the layers were made. */
  get isStale() {
    // The first restoration may have been cancelled, so that somebody paints before the next.
    if (this.#made === null) return this.mask.isPainted;
    return this.#made.mask !== this.#maskState(false);
  }

  /** Make the layers with the settings of this moment; an earlier job stops.
   *
   * isSearch: look for scratches anew, although a mask was painted.
   */
  async restore(isSearch = false) {
    if (!this.#isOpen) return;
    // Its veil would lie over what is restored now.
    this.#detection?.abort();
    this.#wantedMask = null;
    this.#interrupted = null;
    const order = this.#order(this.size, isSearch);
    const isFirst = this.#made === null;
    const layers = [];
    const restoring = { isSearch };
    this.#restoring = restoring;
    const done = await this.#run(order, (event) => {
      if (event.event !== "layer") return;
      layers.push(event);
      // Nothing is lost by showing what is there, but two restorations must not mix.
      if (isFirst) this.#replace(layers, order);
    }).finally(() => {
      if (this.#restoring === restoring) this.#restoring = null;
    });
    if (done === null) return;
    if (this.#made) forgetJob(this.#made.id);
    this.#made = { ...order.state, id: done.id };
    this.#replace(layers, order);
    this.layerList.describe(this.#facts());
    const seconds = Object.values(done.seconds).reduce((sum, value) => sum + value, 0);
    this.progress.say("work.done", () => ({ seconds: number(seconds, 1) }));
  }

  /** Write a file of the layers at full size; returns its path and name, or null if cancelled.
   *
   * names: what the layers are called in it.
   */
  async save(format, names) {
    const { key } = this.#order("full", false).state;
    if (this.isExact && this.#made?.key !== key) {
      await this.restore();
      if (this.#made?.key !== key) return null;
    }
    const finished = [this.#full, this.isExact ? this.#made : null];
    const made = finished.find((job) => job?.key === key);
    if (made) {
      try {
        return await writeFile(made.id, format, this.layerList.views, names);
      } catch (error) {
        // The backend keeps few jobs; a forgotten one is done again.
        if (error.status !== 404) throw error;
      }
    }
    this.progress.say("save.restoring");
    const order = this.#order("full", false);
    const done = await this.#run(order, () => {});
    if (done === null) return null;
    if (this.#full) forgetJob(this.#full.id);
    this.#full = { ...order.state, id: done.id };
    return writeFile(done.id, format, this.layerList.views, names);
  }

  /** Compose anew, soon: a slider moves faster than a large photo is composed. */
  redraw() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      if (!this.#isOpen) return;
      this.viewer.showAfter(composite(this.#base, this.#layers, this.#views()));
    });
  }

  /** Show the mask of a threshold as a veil, while the user looks for the right one. */
  async preview(threshold) {
    if (!this.#isOpen) return;
    this.#wantedMask = threshold;
    if (this.#detection) return;
    this.#interrupted ??= this.#restoring;
    this.#running?.abort();
    this.#detection = new AbortController();
    try {
      // Only the last value counts: those that came while the backend worked are left out.
      while (this.#wantedMask !== null) {
        const wanted = this.#wantedMask;
        this.#wantedMask = null;
        await this.#detect(wanted);
      }
    } catch (error) {
      if (error.name === "AbortError") this.maskPanel.refresh();
      else this.onError(error);
    } finally {
      this.#detection = null;
    }
  }

  /** Leave the thresholds that were looked at without one; what that has stopped begins again. */
  async lookAway() {
    const interrupted = this.#interrupted;
    this.#interrupted = null;
    this.#wantedMask = null;
    this.#detection?.abort();
    if (!this.#isOpen) return;
    this.maskPanel.refresh();
    if (interrupted !== null) await this.restore(interrupted.isSearch);
  }

  /** A job's order, and the state of the page that it stands for. */
  #order(size, isSearch) {
    const { options } = this.settings;
    const mask = this.#maskState(isSearch);
    const state = { key: JSON.stringify([options, mask]), strength: options.strength, mask };
    return { size, options, painted: mask !== FOUND, revision: this.mask.revision, state };
  }

  #maskState(isSearch) {
    return this.mask.isPainted && !isSearch ? this.mask.revision : FOUND;
  }

  async #detect(threshold) {
    const options = { ...this.settings.options, ...DETECTION, threshold };
    const onEvent = (event) => {
      if (event.event === "layer") this.veil.showOther(event);
    };
    const { signal } = this.#detection;
    const { id } = await runJob(this.photo, { size: this.size, options }, { onEvent, signal });
    forgetJob(id);
  }

  /** Run a job as the one that can be cancelled; null when it was. */
  async #run(order, onEvent) {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.progress.begin();
    const show = (event) => {
      if (running.signal.aborted) return;
      this.progress.show(event, order.size === "full");
      onEvent(event);
    };
    try {
      const { signal } = running;
      if (order.painted) await this.#sendMask();
      const { size, options, painted } = order;
      const settings = { onEvent: show, signal, fetchLayers: size !== "full" };
      const done = await runJob(this.photo, { size, options, painted }, settings);
      this.progress.finish();
      return done;
    } catch (error) {
      if (this.#running === running) this.progress.stop();
      if (error.name !== "AbortError") throw error;
      if (this.#running === running) this.progress.say("work.cancelled");
      return null;
    } finally {
      if (this.#running === running) this.#running = null;
    }
  }

  async #sendMask() {
    const { revision, values } = this.mask;
    if (this.#sentRevision === revision) return;
    await sendMask(this.photo, values);
    this.#sentRevision = revision;
  }

  #replace(layers, order) {
    this.#layers = [...layers];
    this.redraw();
    const found = layers.find((layer) => layer.kind === "mask");
    // Who painted while the backend looked keeps what they painted.
    const isOvertaken = this.mask.isOpen || order.revision !== this.mask.revision;
    if (found && !order.painted && !isOvertaken) this.mask.found(found);
    if (found) this.hasMask = true;
    this.maskPanel.refresh();
  }

  #views() {
    const { views } = this.layerList;
    const { strength } = this.settings.options;
    if (!this.#made?.strength || this.#made.strength === strength) return views;
    // Until the backend has restored with the new strength, the layer is faded to look like it.
    const opacity = (views.restored.opacity * strength) / this.#made.strength;
    return { ...views, restored: { ...views.restored, opacity } };
  }

  #facts() {
    const { width, height } = this.#base;
    const facts = {};
    const faces = this.#layers.filter((layer) => layer.kind === "face").length;
    const mask = this.#layers.find((layer) => layer.kind === "mask");
    const share = mask ? shareOf(mask.pixels, width * height) * 100 : 0;
    if (faces > 0) facts.face = () => text("layers.face.count", { count: faces });
    if (this.#layers.some((layer) => layer.kind === "repair")) {
      facts.repair = () => text("layers.repair.share", { percent: number(share, 1) });
    }
    if (this.#layers.some((layer) => layer.kind === "restored")) facts.restored = () => "";
    return facts;
  }
}
