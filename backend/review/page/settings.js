// The settings of a restoration: what is searched for, and what is done to the whole picture.
import { number, show, text } from "./texts.js";

const SWITCHES = ["cleaning", "tone"];

const byId = (id) => document.getElementById(id);

export class Settings {
  #recommended = 0.5;
  #isLooking = false;

  /** onLook gets a threshold while its slider moves; onFade is called while the strength's does.
   *
   * onChange is called when a setting is chosen, with whether scratches are to be searched anew, and
   * onLookAway when the threshold is let go where it was, which is no choice.
   */
  constructor({ onLook, onLookAway, onFade, onChange }) {
    byId("threshold").addEventListener("input", () => {
      this.#isLooking = true;
      this.#show();
      onLook(this.#threshold);
    });
    byId("threshold").addEventListener("change", () => {
      this.#isLooking = false;
      onChange(true);
    });
    const letGo = () => {
      if (this.#isLooking) onLookAway();
      this.#isLooking = false;
    };
    for (const kind of ["pointerup", "pointercancel"]) {
      // A change comes right after it.
      window.addEventListener(kind, () => setTimeout(letGo));
    }
    byId("recommended").addEventListener("click", () => {
      byId("threshold").value = this.#recommended;
      this.#show();
      byId("threshold").focus();
      onChange(true);
    });
    byId("strength").addEventListener("input", () => {
      this.#show();
      onFade();
    });
    for (const id of ["strength", ...SWITCHES]) {
      byId(id).addEventListener("change", () => onChange(false));
    }
  }

  /** Begin with the threshold that is recommended for the weights. */
  recommend(threshold) {
    this.#recommended = Math.round(threshold * 100) / 100;
    byId("threshold").value = this.#recommended;
    this.#show();
  }

  /** A job's options. */
  get options() {
    return {
      threshold: this.#threshold === this.#recommended ? null : this.#threshold,
      cleaning: byId("cleaning").checked,
      tone: byId("tone").checked,
      strength: Number(byId("strength").value) / 100,
    };
  }

  get #threshold() {
    return Number(byId("threshold").value);
  }

  #show() {
    const threshold = this.#threshold;
    show(byId("threshold-value"), () => number(threshold, 2));
    show(byId("threshold"), () => number(threshold, 2), "aria-valuetext");
    byId("recommended").hidden = threshold === this.#recommended;
    const percent = byId("strength").value;
    const strength = () => text("value.percent", { percent });
    show(byId("strength-value"), strength);
    show(byId("strength"), strength, "aria-valuetext");
  }
}
