// The list of layers: a switch and an opacity for each kind, top first as in GIMP.
import { show, text } from "./texts.js";

export const KINDS = ["face", "restored", "repair"];

export class LayerList {
  /** By kind, {visible, opacity}. */
  views = Object.fromEntries(KINDS.map((kind) => [kind, { visible: true, opacity: 100 }]));
  #rows = {};

  /** onChange is called after each change that the user makes. */
  constructor(list, onChange) {
    for (const kind of KINDS) {
      this.#rows[kind] = this.#addRow(list, kind, onChange);
    }
  }

  /** Say beside each layer what there is of it; null while that is not known.
   *
   * facts: by kind, a function that says it; without one there is no such layer.
   */
  describe(facts) {
    for (const kind of KINDS) {
      const row = this.#rows[kind];
      const isMissing = facts !== null && facts[kind] === undefined;
      row.item.classList.toggle("missing", isMissing);
      show(row.fact, facts?.[kind] ?? (() => (isMissing ? text("layers.none") : "")));
    }
  }

  #addRow(list, kind, onChange) {
    const name = () => text(`layers.${kind}`);
    const item = list.appendChild(document.createElement("li"));
    const label = item.appendChild(document.createElement("label"));
    label.className = "switch";
    const visible = label.appendChild(document.createElement("input"));
    Object.assign(visible, { type: "checkbox", checked: true, id: `show-${kind}` });
    visible.setAttribute("role", "switch");
    show(label.appendChild(document.createElement("span")), name);
    const fact = item.appendChild(document.createElement("span"));
    fact.className = "fact";
    const opacity = item.appendChild(document.createElement("input"));
    Object.assign(opacity, { type: "range", min: 0, max: 100, value: 100, id: `opacity-${kind}` });
    show(opacity, () => text("layers.opacity", { layer: name() }), "aria-label");
    const value = item.appendChild(document.createElement("output"));
    const change = () => {
      this.views[kind] = { visible: visible.checked, opacity: Number(opacity.value) };
      const percent = () => text("value.percent", { percent: opacity.value });
      show(value, percent);
      show(opacity, percent, "aria-valuetext");
      item.classList.toggle("off", !visible.checked);
    };
    change();
    for (const input of [visible, opacity]) {
      input.addEventListener("input", () => {
        change();
        onChange();
      });
    }
    return { item, fact };
  }
}
