// The page: its controls, and the photo that is dropped on it.
import { addPhoto, openSession } from "./backend.js";
import { LayerList } from "./layers.js";
import { ProgressList } from "./progress.js";
import { Review } from "./review.js";
import { fillTexts, text } from "./texts.js";
import { Viewer } from "./viewer.js";

const FORMATS = ["png", "tiff", "openraster"];
const byId = (id) => document.getElementById(id);

let review = null;
let recommended = 0.5;

fillTexts(document);
document.title = `${text("title")} – ${text("app")}`;
const viewer = new Viewer();
const progress = new ProgressList();
const layerList = new LayerList(byId("layers"), () => review?.redraw());

/** Run something of the user's; a failure becomes a sentence. */
function attempt(action) {
  return async (...values) => {
    try {
      await action(...values);
    } catch (error) {
      complain(error);
    }
  };
}

function complain(error) {
  if (error.name === "AbortError") return;
  byId("message-text").textContent =
    error.name === "Error" && error.code === undefined
      ? text("error.unexpected", { reason: error.message })
      : error.message;
  byId("message").hidden = false;
}

function settings() {
  const threshold = Number(byId("threshold").value);
  return {
    threshold: threshold === recommended ? null : threshold,
    cleaning: byId("cleaning").checked,
    tone: byId("tone").checked,
    strength: Number(byId("strength").value) / 100,
  };
}

const openFile = attempt(async (file) => {
  byId("message").hidden = true;
  progress.say("work.reading", { name: file.name });
  await openPhoto(await addPhoto(file), "preview");
});

async function openPhoto(photo, size) {
  review?.close();
  byId("whole-size").checked = size === "whole";
  byId("whole-size").closest("label").hidden = !(photo.reduced && photo.showable);
  byId("empty").hidden = true;
  byId("photo-name").textContent = photo.name;
  const facts = [text("photo.size", photo)];
  if (photo.reduced && size === "preview") facts.push(text("photo.reduced", photo.preview));
  byId("photo-size").textContent = facts.join(", ");
  for (const control of document.querySelectorAll("#panel :disabled")) control.disabled = false;
  const parts = { viewer, layerList, progress, settings, onError: complain, onLayers };
  review = new Review(photo, size, parts);
  await review.open();
}

function onLayers() {
  review.showMask(byId("show-mask").checked);
}

function showValues() {
  const threshold = Number(byId("threshold").value);
  byId("threshold-value").textContent = threshold.toFixed(2);
  byId("recommended").hidden = threshold === recommended;
  const strength = text("value.percent", { percent: byId("strength").value });
  byId("strength-value").textContent = strength;
  byId("strength").setAttribute("aria-valuetext", strength);
}

const restore = attempt(() => review?.restore());

function listenToSettings() {
  byId("threshold").addEventListener("input", () => {
    showValues();
    review?.preview(Number(byId("threshold").value));
  });
  byId("strength").addEventListener("input", () => {
    showValues();
    review?.redraw();
  });
  for (const id of ["threshold", "strength", "cleaning", "tone"]) {
    byId(id).addEventListener("change", restore);
  }
  byId("recommended").addEventListener("click", () => {
    byId("threshold").value = recommended;
    showValues();
    byId("threshold").focus();
    restore();
  });
  byId("show-mask").addEventListener("change", onLayers);
  const resize = attempt(() => {
    return openPhoto(review.photo, byId("whole-size").checked ? "whole" : "preview");
  });
  byId("whole-size").addEventListener("change", resize);
  byId("cancel").addEventListener("click", () => review.cancel());
  byId("again").addEventListener("click", restore);
}

function addSaveButtons() {
  for (const format of FORMATS) {
    const button = byId("save").appendChild(document.createElement("button"));
    button.type = "button";
    button.dataset.format = format;
    button.appendChild(document.createElement("b")).textContent = text(`save.${format}`);
    const hint = button.appendChild(document.createElement("span"));
    hint.textContent = text(`save.${format}.hint`);
    button.addEventListener("click", () => save(format));
  }
}

const save = attempt(async (format) => {
  const file = await review.save(format);
  if (file === null) return;
  // A link of its own lets the browser stream the file to the disk.
  const link = document.createElement("a");
  Object.assign(link, { href: file.path, download: file.name });
  link.click();
  progress.say("save.done", { name: file.name });
});

function listenToFiles() {
  for (const id of ["open", "choose"]) {
    byId(id).addEventListener("click", () => byId("file").click());
  }
  byId("file").addEventListener("change", () => {
    const [file] = byId("file").files;
    byId("file").value = "";
    if (file) openFile(file);
  });
  const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    byId("drop-now").hidden = false;
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) byId("drop-now").hidden = true;
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    byId("drop-now").hidden = true;
    const [file] = event.dataTransfer.files;
    if (file) openFile(file);
  });
}

// The command line opened this tab's address again, with a new ticket.
window.addEventListener("hashchange", () => location.reload());
byId("message-close").addEventListener("click", () => (byId("message").hidden = true));
listenToFiles();
addSaveButtons();
listenToSettings();
for (const control of document.querySelectorAll("#panel input, #panel button")) {
  control.disabled = true;
}
const begin = attempt(async () => {
  const session = await openSession();
  recommended = Math.round(session.threshold * 100) / 100;
  byId("threshold").value = recommended;
  showValues();
  if (session.photo !== null) await openPhoto(session.photo, "preview");
});
begin();
