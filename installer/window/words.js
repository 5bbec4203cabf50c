// The page's texts, and sizes and times in the user's language.

const texts = {};

/** Read the catalogue, and put its texts into the page. */
export async function loadTexts() {
  Object.assign(texts, await (await fetch("/catalogue.json")).json());
  document.documentElement.lang = texts.language;
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = text(node.dataset.text);
  }
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", text(node.dataset.label));
  }
}

/** The text with this key, its {placeholders} filled. */
export function text(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** "190 MB", "1.5 GB". */
export function size(bytes) {
  const [value, unit] = bytes < 1e9 ? [bytes / 1e6, "megabyte"] : [bytes / 1e9, "gigabyte"];
  const digits = value >= 100 ? 0 : 1;
  return number(value, { style: "unit", unit, maximumFractionDigits: digits });
}

/** "3.2 MB/s". */
export function rate(bytesPerSecond) {
  const options = { style: "unit", unit: "megabyte-per-second", maximumFractionDigits: 1 };
  return number(bytesPerSecond / 1e6, options);
}

/** "44 seconds", "3 minutes". */
export function duration(seconds) {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : [seconds / 60, "minute"];
  const options = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 };
  return number(Math.max(Math.ceil(value), 1), options);
}

/** "torch 2.13.0" for the name of a wheel. */
export function shortName(name) {
  const [project, version] = name.split("-");
  return name.endsWith(".whl") ? `${project} ${version}` : name;
}

function number(value, options) {
  return new Intl.NumberFormat(texts.language, options).format(value);
}
