// How far a task is, how fast, and how long it will still take; no page here.

// Speed over the last seconds: an average of all would hide that a line has become slow.
const WINDOW_MS = 6000;
// Downloading counts for most of a step that downloads, unpacking for the rest.
const DOWNLOAD_SHARE = 0.7;
// A step without a size takes about as long as some megabytes.
const SMALLEST_WEIGHT = 5e6;

/** Bytes per second over the last seconds. */
export class Speed {
  #marks = [];

  add(bytes, now) {
    const last = this.#marks.at(-1);
    if (last && bytes < last.bytes) this.#marks = [];
    this.#marks.push({ bytes, now });
    while (this.#marks.length > 2 && now - this.#marks[0].now > WINDOW_MS) this.#marks.shift();
  }

  /** Undefined while there is too little to tell. */
  get bytesPerSecond() {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || last.now - first.now < 500 || last.bytes === first.bytes) return undefined;
    return ((last.bytes - first.bytes) / (last.now - first.now)) * 1000;
  }
}

/** The share of the task that is done, in [0, 1]. */
export function fraction(state) {
  const pending = state.pending ?? [];
  const now = pending.findIndex((step) => step.key === state.step?.key);
  if (now < 0) {
    // A removal has no sizes.
    return state.step ? (state.step.number - 1) / state.step.count : 0;
  }
  const weights = pending.map(weightOf);
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  return (sum(weights.slice(0, now)) + weights[now] * shareOf(pending[now], state)) / sum(weights);
}

/** Seconds until the downloads of the task are through; undefined while nobody knows. */
export function secondsLeft(state, bytesPerSecond) {
  const pending = state.pending ?? [];
  const now = pending.findIndex((step) => step.key === state.step?.key);
  if (now < 0 || !state.transfer || !bytesPerSecond) return undefined;
  const later = pending.slice(now + 1).reduce((total, step) => total + step.download_bytes, 0);
  const file = (state.transfer.total ?? 0) - state.transfer.done;
  const step = pending[now].download_bytes - (state.received - state.step.received);
  return Math.max(file, step, 0) / bytesPerSecond + later / bytesPerSecond;
}

function shareOf(step, state) {
  if (!step.download_bytes) return 0;
  const share = (state.received - state.step.received) / step.download_bytes;
  return Math.min(share, 1) * DOWNLOAD_SHARE;
}

function weightOf(step) {
  return Math.max(step.download_bytes + step.disk_bytes, SMALLEST_WEIGHT);
}
