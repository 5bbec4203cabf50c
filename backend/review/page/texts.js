// The strings of the page in the user's language, and the places where they are shown.

/** Each language by its tag, named as its speakers name it. */
export const LANGUAGES = {
  de: "Deutsch",
  en: "English",
  es: "Español",
  fr: "Français",
  ja: "日本語",
  "zh-CN": "简体中文",
};

let language = "en";
let catalogue = {};
// By the backend's codes; its English needs none.
let sentences = {};
// By element and attribute ("" is the content): what writes it anew in another language.
const shown = new Map();

/** The language of the page for what a browser prefers, best first. */
export function matching(preferred) {
  for (const tag of preferred) {
    const base = tag.toLowerCase().split("-")[0];
    // Whoever reads another Chinese reads the simplified one better than English.
    const found = base === "zh" ? "zh-CN" : base;
    if (found in LANGUAGES) return found;
  }
  return "en";
}

/** Speak a language, also where something is shown already. */
export async function speak(chosen) {
  const [texts, backend] = await Promise.all([
    read(`texts/${chosen}.json`),
    chosen === "en" ? {} : read(`sentences/${chosen}.json`),
  ]);
  [language, catalogue, sentences] = [chosen, texts, backend];
  document.documentElement.lang = chosen;
  for (const [element, writers] of shown) {
    if (element.isConnected) for (const write of writers.values()) write();
    else shown.delete(element);
  }
}

async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
  return answer.json();
}

/** The string of a key, with {name} replaced by values.name; values.count decides the form. */
export function text(key, values = {}) {
  if (!(key in catalogue)) throw new Error(`no text ${key}`);
  return fill(counted(catalogue[key], values.count), values);
}

/** A number as it is written in the language, with so many digits after the point. */
export function number(value, digits) {
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, format).format(value);
}

/** A refusal or note of the backend, or of the page itself, as a sentence of the language. */
export function sentence({ key, values, code, message, parameters = {} }) {
  if (key !== undefined) return text(key, values);
  const template = catalogue[`refusal.${code}`] ?? counted(sentences[code], parameters.count);
  const isKnown = template && placeholders(template).every((name) => name in parameters);
  return isKnown ? fill(template, parameters) : message;
}

function counted(template, count) {
  if (!Array.isArray(template)) return template;
  // Singular and plural are all that these languages tell apart, if anything.
  const isOne = new Intl.PluralRules(language).select(count) === "one";
  return template[isOne ? 0 : template.length - 1];
}

function placeholders(template) {
  return Array.from(template.matchAll(/\{(\w+)\}/g), ([, name]) => name);
}

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Show what make() returns in an element, now and in each language to come.
 *
 * attribute: null for the content, else the attribute that gets it.
 */
export function show(element, make, attribute = null) {
  const write = () => {
    const words = make();
    if (attribute !== null) element.setAttribute(attribute, words);
    // Written anew, the same sentence would be read out again.
    else if (element.textContent !== words) element.textContent = words;
  };
  if (!shown.has(element)) shown.set(element, new Map());
  shown.get(element).set(attribute ?? "", write);
  write();
}

/** Fill elements that name a key: data-text as content, data-label as accessible name. */
export function fillTexts(root) {
  for (const element of root.querySelectorAll("[data-text]")) {
    show(element, () => text(element.dataset.text));
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    show(element, () => text(element.dataset.label), "aria-label");
  }
}
