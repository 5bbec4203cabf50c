// What the backend is doing: a bar for each stage, and one sentence that is also read out.
import { sentence, show, text } from "./texts.js";

const STAGES = ["scratches", "restoration", "faces", "enhancement", "blending"];
const byId = (id) => document.getElementById(id);

export class ProgressList {
  #bars = {};
  #said = null;

  constructor() {
    for (const stage of STAGES) {
      const item = byId("stages").appendChild(document.createElement("li"));
      const name = () => text(`stage.${stage}`);
      show(item.appendChild(document.createElement("span")), name);
      const bar = item.appendChild(document.createElement("progress"));
      bar.max = 1;
      bar.value = 0;
      show(bar, name, "aria-label");
      this.#bars[stage] = bar;
    }
    this.say("work.idle");
  }

  /** A job begins: all bars are empty, and it can be cancelled. */
  begin() {
    for (const bar of Object.values(this.#bars)) bar.value = 0;
    byId("notes").replaceChildren();
    this.#offer("cancel");
    this.say("work.waiting");
  }

  /** Show an event of a job; a job of the full-size photo is named so. */
  show(event, isFull) {
    if (event.event === "progress") {
      this.#bars[event.stage].value = event.fraction;
      const stage = () => text(`stage.${event.stage}`);
      this.#write(() => (isFull ? text("work.full", { stage: stage() }) : stage()));
    } else if (event.event === "note") {
      show(byId("notes").appendChild(document.createElement("li")), () => sentence(event));
    }
  }

  /** The job has ended well. */
  finish() {
    for (const bar of Object.values(this.#bars)) bar.value = 1;
    this.#offer(null);
  }

  /** The job has ended early. */
  stop() {
    for (const bar of Object.values(this.#bars)) bar.value = 0;
    this.#offer("again");
  }

  /** Say a sentence of the catalogue; values() are asked for anew in each language. */
  say(key, values = () => ({})) {
    this.#write(() => text(key, values()));
  }

  /** Say it until something else is said; returns what takes it back before that. */
  sayMeanwhile(key, values) {
    const before = this.#said;
    this.say(key, values);
    const own = this.#said;
    return () => {
      if (this.#said === own) this.#write(before);
    };
  }

  #write(make) {
    this.#said = make;
    show(byId("status"), make);
  }

  #offer(action) {
    document.body.classList.toggle("working", action === "cancel");
    for (const id of ["cancel", "again"]) byId(id).hidden = id !== action;
  }
}
