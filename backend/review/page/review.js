// One photo under review: its layers, what they were made with, and the jobs that make them.
import { forgetJob, pixelsOf, runJob, writeFile } from "./backend.js";
import { composite, shareOf, toImage, veil } from "./composite.js";
import { text } from "./texts.js";

const VEIL_COLOR = [255, 32, 48];
const DETECTION = { repair_scratches: false, whole_picture: false, enhance_faces: false };

export class Review {
  #base;
  #layers = [];
  // The options that made the layers, and their job.
  #made = null;
  #full = null;
  #running = null;
  #wantedMask = null;
  #detection = null;
  #isDrawing = false;

  /** A photo of the backend's, shown reduced ("preview") or with all pixels ("whole").
   *
   * parts: {viewer, layerList, progress, settings, onError, onLayers}; settings() are the job's
   * options.
   */
  constructor(photo, size, parts) {
    this.photo = photo;
    this.size = size;
    // What is shown then has the file's very pixels, so that its layers can be saved.
    this.isExact = photo.depth === 8 && (size === "whole" || !photo.reduced);
    Object.assign(this, parts);
  }

  /** Fetch the photo, show it, and restore it. */
  async open() {
    const { photo, size } = this;
    const { width, height } = size === "whole" ? photo : photo.preview;
    const pixels = await pixelsOf(photo, size);
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
  }

  /** Leave the photo: its jobs are forgotten. */
  close() {
    this.cancel();
    for (const made of [this.#made, this.#full]) if (made) forgetJob(made.id);
  }

  /** Make the layers with the settings of this moment; an earlier job stops. */
  async restore() {
    const options = this.settings();
    const isFirst = this.#made === null;
    const layers = [];
    const done = await this.#run(this.size, options, (event) => {
      if (event.event !== "layer") return;
      layers.push(event);
      // Nothing is lost by showing what is there, but two restorations must not mix.
      if (isFirst) this.#replace(layers);
    });
    if (done === null) return;
    if (this.#made) forgetJob(this.#made.id);
    this.#made = { id: done.id, key: JSON.stringify(options), strength: options.strength };
    this.#replace(layers);
    this.layerList.describe(this.#facts());
    const seconds = Object.values(done.seconds).reduce((sum, value) => sum + value, 0);
    this.progress.say("work.done", { seconds: seconds.toFixed(1) });
  }

  /** Write a file of the layers at full size; returns its path and name, or null if cancelled. */
  async save(format) {
    const options = this.settings();
    const key = JSON.stringify(options);
    if (this.isExact && this.#made?.key !== key) {
      await this.restore();
      if (this.#made?.key !== key) return null;
    }
    const finished = [this.#full, this.isExact ? this.#made : null];
    const made = finished.find((job) => job?.key === key);
    if (made) {
      try {
        return await writeFile(made.id, format, this.layerList.views);
      } catch (error) {
        // The backend keeps few jobs; a forgotten one is done again.
        if (error.status !== 404) throw error;
      }
    }
    this.progress.say("save.restoring");
    const done = await this.#run("full", options, () => {});
    if (done === null) return null;
    if (this.#full) forgetJob(this.#full.id);
    this.#full = { id: done.id, key };
    return writeFile(done.id, format, this.layerList.views);
  }

  /** Compose anew, soon: a slider moves faster than a large photo is composed. */
  redraw() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.viewer.showAfter(composite(this.#base, this.#layers, this.#views()));
    });
  }

  /** Show the mask of a threshold as a veil, while the user looks for the right one. */
  async preview(threshold) {
    this.#wantedMask = threshold;
    if (this.#detection) return;
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
      this.onError(error);
    } finally {
      this.#detection = null;
    }
  }

  /** Show or hide the mask that the layers were made with. */
  showMask(isShown) {
    const mask = this.#layers.find((layer) => layer.kind === "mask");
    this.viewer.showVeil(isShown && mask ? veil(mask, VEIL_COLOR) : null);
  }

  async #detect(threshold) {
    const options = { ...this.settings(), ...DETECTION, threshold };
    const onEvent = (event) => {
      if (event.event === "layer") this.viewer.showVeil(veil(event, VEIL_COLOR));
    };
    const { signal } = this.#detection;
    const { id } = await runJob(this.photo, this.size, options, { onEvent, signal });
    forgetJob(id);
  }

  /** Run a job as the one that can be cancelled; null when it was. */
  async #run(size, options, onEvent) {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.progress.begin();
    const show = (event) => {
      if (running.signal.aborted) return;
      this.progress.show(event, size === "full");
      onEvent(event);
    };
    try {
      const { signal } = running;
      const settings = { onEvent: show, signal, fetchLayers: size !== "full" };
      const done = await runJob(this.photo, size, options, settings);
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

  #replace(layers) {
    this.#layers = [...layers];
    this.redraw();
    this.onLayers();
  }

  #views() {
    const { views } = this.layerList;
    const { strength } = this.settings();
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
    if (faces > 0) facts.face = text("layers.face.count", { count: faces });
    if (this.#layers.some((layer) => layer.kind === "repair")) {
      facts.repair = text("layers.repair.share", { percent: share.toFixed(1) });
    }
    if (this.#layers.some((layer) => layer.kind === "restored")) facts.restored = "";
    return facts;
  }
}
