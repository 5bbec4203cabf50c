// The page's texts, and sizes and times in the user's language.

const STORE = "restore-old-photo-language";
let texts = {};
let language = "en";

/**
 * Read the catalogue, and put its texts into the page.
 *
 * @param {string} [chosen] the tag of a language; without it that of the last choice, of the
 *   address, or of the browser.
 * @returns the names of all languages, by their tags.
 */
export async function loadTexts(chosen) {
  if (chosen) sessionStorage.setItem(STORE, chosen);
  const wanted = chosen ?? sessionStorage.getItem(STORE);
  const query = wanted ? `?${new URLSearchParams({ language: wanted })}` : location.search;
  const catalogue = await (await fetch(`/catalogue.json${query}`)).json();
  ({ texts, language } = catalogue);
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = text(node.dataset.text);
  }
  for (const [name, attribute] of Object.entries({ label: "aria-label", alt: "alt" })) {
    for (const node of document.querySelectorAll(`[data-${name}]`)) {
      node.setAttribute(attribute, text(node.dataset[name]));
    }
  }
  return catalogue.names;
}

/** The tag of the language that is shown. */
export function currentLanguage() {
  return language;
}

/** The text with this key, its {placeholders} filled. */
export function text(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

/** What the installer says as {code, values}. */
export function say(message) {
  return message ? text(message.code, message.values) : "";
}

function shown(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return String(value);
  if ("code" in value) return say(value);
  return "bytes" in value ? size(value.bytes) : duration(value.seconds);
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
  return new Intl.NumberFormat(language, options).format(value);
}
