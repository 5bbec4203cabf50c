// Which language the page speaks: the one chosen here before, else the browser's.
import { rememberLanguage } from "./backend.js";
import { LANGUAGES, matching, speak } from "./texts.js";

// A page that is loaded again gets no new session, which would tell.
const CHOICE = "language";

/** Speak the remembered language, or the browser's; null where none is remembered. */
export async function speakFirst(remembered) {
  const chosen = remembered ?? sessionStorage.getItem(CHOICE);
  if (remembered !== null) sessionStorage.setItem(CHOICE, remembered);
  await speak(matching(chosen === null ? navigator.languages : [chosen]));
}

/** Let the user choose in a list; attempt wraps what can fail. */
export function offerLanguages(list, attempt) {
  for (const [tag, name] of Object.entries(LANGUAGES)) {
    const option = list.appendChild(document.createElement("option"));
    Object.assign(option, { value: tag, lang: tag, textContent: name });
  }
  list.value = document.documentElement.lang;
  const choose = attempt(async () => {
    await speak(list.value);
    sessionStorage.setItem(CHOICE, list.value);
    await rememberLanguage(list.value);
  });
  list.addEventListener("change", choose);
}
