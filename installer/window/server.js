// Requests to the installer behind this page.

const STORE = "restore-old-photo-token";

/** Exchange the key in the address for a token; a page that is loaded anew has one already. */
export async function connect() {
  const key = location.hash.slice(1);
  if (!key) return;
  // The key is of use once, and neither history nor bookmarks need it.
  history.replaceState(null, "", location.pathname);
  const answer = await post("/session", { key });
  if (answer.ok) sessionStorage.setItem(STORE, (await answer.json()).token);
}

/** The state, as soon as it differs from number `seen`; log lines from `line` on. Throws. */
export async function readState(seen, line) {
  const answer = await fetch(`/state?seen=${seen}&line=${line}`, { headers: authorization() });
  if (!answer.ok) throw new Error(`the installer answered ${answer.status}`);
  return answer.json();
}

/** Ask for something to be done; returns a sentence when it is refused, else nothing. */
export async function ask(path, body = {}) {
  const answer = await post(path, body);
  return answer.ok ? "" : (await answer.json()).error;
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
