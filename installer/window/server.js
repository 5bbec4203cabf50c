// Requests to the installer behind this page.

const STORE = "restore-old-photo-token";

/** Exchange the key in the address for a token; a page that is loaded anew has one already. */
export async function connect() {
  const key = location.hash.slice(1);
  if (!key) return;
  // The key is of use once, and neither history nor bookmarks need it.
  history.replaceState(null, "", location.pathname + location.search);
  const answer = await post("/session", { key });
  if (answer.ok) sessionStorage.setItem(STORE, (await answer.json()).token);
}

/** The state, as soon as it differs from number `seen`; log lines from `line` on. Throws. */
export async function readState(seen, line) {
  const answer = await fetch(`/state?seen=${seen}&line=${line}`, { headers: authorization() });
  if (!answer.ok) throw new Error(`the installer answered ${answer.status}`);
  return answer.json();
}

/** Ask for something to be done; returns what the installer says when it refuses. */
export async function ask(path, body = {}) {
  const answer = await post(path, body);
  if (answer.ok) return null;
  const { error, message } = await answer.json();
  return message ?? { code: "error.refused", values: { reason: error } };
}

/** The address of one of the example's pictures, "before" or "after". Throws. */
export async function readPicture(name) {
  // Elements cannot send the token themselves.
  const answer = await fetch(`/example/${name}`, { headers: authorization() });
  if (!answer.ok) throw new Error(`the installer answered ${answer.status}`);
  return URL.createObjectURL(await answer.blob());
}

/** Tell that the page is going, with the last breath it has. */
export function sayGoodbye() {
  post("/bye", {}, true).catch(() => {});
}

function post(path, body, keepalive = false) {
  return fetch(path, {
    method: "POST",
    headers: { ...authorization(), "Content-Type": "application/json" },
    body: JSON.stringify(body),
    keepalive,
  });
}

function authorization() {
  const token = sessionStorage.getItem(STORE);
  return token ? { Authorization: `Bearer ${token}` } : {};
}
