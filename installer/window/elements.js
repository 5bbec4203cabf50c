// Parts of the page.

/** The part with this id. */
export function $(id) {
  return document.getElementById(id);
}

/** A new part with this text. */
export function element(tag, content, className = "") {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

/** Show or hide the part with this id. */
export function show(id, isShown) {
  $(id).hidden = !isShown;
}
