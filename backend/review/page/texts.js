// The strings of the page in its language, put where the page names their keys.
import en from "./texts/en.js";

const catalogue = en;

/** The string of a key, with {name} replaced by values.name. */
export function text(key, values = {}) {
  if (!(key in catalogue)) throw new Error(`no text ${key}`);
  return catalogue[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Fill elements that name a key: data-text as content, data-label as accessible name. */
export function fillTexts(root) {
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
  }
}
