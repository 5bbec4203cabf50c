// Talk to the backend. The key lives as long as this tab, for this address and port alone.

const KEY = "restore-old-photo-key";
const ALIVE_MILLISECONDS = 60_000;

/** A refusal: `facts` has the backend's code, message and parameters, or a text's key and values. */
export class BackendError extends Error {
  constructor(facts, status) {
    super(facts.message ?? facts.key);
    this.facts = facts;
    this.status = status;
  }
}

const gone = (status) => new BackendError({ key: "error.gone" }, status);

async function send(method, path, { body, headers = {}, signal } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      body,
      signal,
      headers: { Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}`, ...headers },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw gone(0);
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && path !== "/review/session") {
    throw gone(401);
  }
  const facts = await answer.json().catch(() => ({}));
  if (facts.message) throw new BackendError(facts, answer.status);
  const values = { reason: `HTTP ${answer.status}` };
  throw new BackendError({ key: "error.unexpected", values }, answer.status);
}

async function sendFacts(method, path, facts) {
  const headers = { "Content-Type": "application/json" };
  const answer = await send(method, path, { body: JSON.stringify(facts), headers });
  return answer.json();
}

/** Exchange the ticket in the address for a key; the address keeps nothing of it.
 *
 * isUnsaved: whether the page holds something that would be lost with the backend.
 */
export async function openSession(isUnsaved) {
  const ticket = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  if (ticket === "" && sessionStorage.getItem(KEY) === null) {
    throw gone(401);
  }
  let session = { photo: null, threshold: null, language: null };
  if (ticket !== "") {
    session = await sendFacts("POST", "/review/session", { ticket });
    sessionStorage.setItem(KEY, session.key);
    sessionStorage.setItem("threshold", session.threshold);
  }
  session.threshold ??= Number(sessionStorage.getItem("threshold")) || 0.5;
  setInterval(() => {
    // A page that nobody looks at does not keep the networks in memory, unless strokes hang on it.
    const isNeeded = document.visibilityState === "visible" || isUnsaved();
    if (isNeeded) send("GET", "/review/status").catch(() => {});
  }, ALIVE_MILLISECONDS);
  return session;
}

/** Send a photo's file; returns what the backend says about it. */
export async function addPhoto(file) {
  try {
    // A folder, or a card that was taken out: sending it would look as if the backend were gone.
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new BackendError({ key: "error.file", values: { name: file.name } }, 0);
  }
  const headers = { "X-File-Name": encodeURIComponent(file.name) };
  return (await send("POST", "/review/photos", { body: file, headers })).json();
}

/** The photo as it was, "preview" or "whole": 8-bit samples, interleaved. */
export async function pixelsOf(photo, size) {
  const answer = await send("GET", `/review/photos/${photo.id}/pixels?size=${size}`);
  return new Uint8Array(await received(answer.arrayBuffer()));
}

/** Give the backend what was painted: a byte for each pixel of the whole photo, 255 = repair. */
export async function sendMask(photo, values) {
  await send("PUT", `/review/photos/${photo.id}/mask`, { body: values });
}

/** Let the page speak a language from now on. */
export async function rememberLanguage(language) {
  await sendFacts("PUT", "/review/language", { language });
}

/** Begin a job of a photo and follow it to its end.
 *
 * order: {size, options, painted}; painted takes the mask that was sent in place of a search.
 * onEvent gets every event; those of layers carry `pixels` and `mask` when `fetchLayers` is true.
 * Returns the job's name and its last event. Aborting `signal` cancels the job.
 */
export async function runJob(photo, order, { onEvent, signal, fetchLayers = true }) {
  // Not to be aborted: a job whose name is not known could not be cancelled.
  const { id } = await sendFacts("POST", `/review/photos/${photo.id}/jobs`, order);
  try {
    signal?.throwIfAborted();
    for await (const event of eventsOf(id, signal)) {
      if (event.event === "layer" && fetchLayers) await addPixels(id, event, signal);
      onEvent(event);
      if (event.event === "failed") throw new BackendError(event, 500);
      if (event.event === "done") return { id, seconds: event.seconds };
      if (event.event === "cancelled") throw new DOMException("cancelled", "AbortError");
    }
  } catch (error) {
    forgetJob(id);
    throw error;
  }
  throw gone(0);
}

/** Let the backend free a job's memory, and stop it if it still runs. */
export function forgetJob(id) {
  send("DELETE", `/jobs/${id}`).catch(() => {});
}

/** What is on its way; a backend that ends meanwhile breaks it off. */
async function received(part) {
  try {
    return await part;
  } catch (error) {
    throw error.name === "AbortError" ? error : gone(0);
  }
}

async function* eventsOf(id, signal) {
  const answer = await send("GET", `/jobs/${id}/events`, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await received(reader.read());
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      // An empty line is a sign of life.
      if (line !== "") yield JSON.parse(line);
    }
  }
}

async function addPixels(id, layer, signal) {
  const answer = await send("GET", `/jobs/${id}/layers/${layer.index}`, { signal });
  const data = new Uint8Array(await received(answer.arrayBuffer()));
  const length = layer.width * layer.height * layer.channels;
  layer.pixels = data.subarray(0, length);
  layer.mask = layer.has_mask ? data.subarray(length) : null;
}

/** Let the backend write a file of a job's layers, called by `names`; returns its path and name. */
export function writeFile(job, format, views, names) {
  return sendFacts("POST", "/review/files", { job, format, views, names });
}
