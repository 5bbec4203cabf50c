// What was painted is not lost without a question.
import { text } from "./texts.js";

const byId = (id) => document.getElementById(id);

// Takes the answer to the question that is open.
let settle = null;

/** Let the user answer with the buttons, and the browser or the window ask before it closes. */
export function guardLeaving(isUnsaved) {
  byId("leave").addEventListener("cancel", () => answer(false));
  byId("leave-no").addEventListener("click", () => answer(false));
  byId("leave-yes").addEventListener("click", () => answer(true));
  window.addEventListener("beforeunload", (event) => {
    if (isUnsaved()) event.preventDefault();
  });
  // A window of pywebview closes without that event; backend/review/window.py reads this.
  Object.defineProperty(window, "questionBeforeClosing", {
    get: () => (isUnsaved() ? text("leave.window") : ""),
  });
}

/** Whether the user gives up what was painted; a question that was open is answered with no. */
export function mayLose() {
  settle?.(false);
  if (!byId("leave").open) byId("leave").showModal();
  return new Promise((resolve) => {
    settle = resolve;
  });
}

function answer(isYes) {
  byId("leave").close();
  settle?.(isYes);
  settle = null;
}
