// The page: its parts, and the photo that is brought to it.
import { addPhoto, openSession } from "./backend.js";
import { listenToFiles } from "./files.js";
import { offerLanguages, speakFirst } from "./language.js";
import { LayerList } from "./layers.js";
import { guardLeaving, mayLose } from "./leaving.js";
import { MaskPanel } from "./maskpanel.js";
import { ProgressList } from "./progress.js";
import { Review } from "./review.js";
import { addSaveButtons, download, layerNames } from "./saving.js";
import { Settings } from "./settings.js";
import { fillTexts, sentence, show, text } from "./texts.js";
import { Viewer } from "./viewer.js";

const byId = (id) => document.getElementById(id);

let review = null;
let parts = null;
// How many files were chosen so far, and what takes back that the last one is being read.
let choices = 0;
let takeBack = () => {};
let saving = Promise.resolve();

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
  const values = { reason: error.message };
  const facts = error.facts ?? { key: "error.unexpected", values };
  show(byId("message-text"), () => sentence(facts));
  byId("message").hidden = false;
}

const openFile = attempt(async (file) => {
  await ready;
  if (review?.mask.isUnsaved && !(await mayLose())) return;
  choices += 1;
  const choice = choices;
  byId("message").hidden = true;
  takeBack();
  takeBack = parts.progress.sayMeanwhile("work.reading", () => ({ name: file.name }));
  try {
    const photo = await addPhoto(file);
    // What was chosen since then may have come sooner.
    if (choice === choices) await openPhoto(photo, "preview");
  } catch (error) {
    if (choice === choices) takeBack();
    throw error;
  }
});

async function openPhoto(photo, size) {
  // An empty mask would say that nothing is damaged.
  const isKept = review?.photo.id === photo.id && (review.hasMask || review.mask.isPainted);
  const mask = isKept ? review.mask : null;
  review?.close();
  byId("whole-size").checked = size === "whole";
  byId("whole-size").closest("label").hidden = !(photo.reduced && photo.showable);
  byId("empty").hidden = true;
  byId("photo-name").textContent = photo.name;
  show(byId("photo-size"), () => text("photo.size", photo));
  const isReduced = photo.reduced && size === "preview";
  show(byId("photo-reduced"), () => (isReduced ? text("photo.reduced", photo.preview) : ""));
  for (const control of document.querySelectorAll("#panel :disabled")) control.disabled = false;
  review = new Review(photo, size, mask, parts);
  parts.maskPanel.open(review);
  await review.open();
}

const restore = attempt((isSearch) => review?.restore(isSearch));

/** Save after what is being saved: the second of two formats would cancel the first. */
function saveInTurn(format) {
  saving = saving.then(() => save(format));
}

const save = attempt(async (format) => {
  const { mask } = review;
  const { revision } = mask;
  const file = await review.save(format, layerNames());
  if (file === null) {
    // Somebody who cancels knows; who changes a setting meanwhile may not.
    if (review.isBusy) complain({ facts: { key: "save.lost" } });
    return;
  }
  download(file);
  mask.saved(revision);
  parts.progress.say("save.done", () => ({ name: file.name }));
});

function makeParts() {
  const viewer = new Viewer(() => parts?.maskPanel.painter.showBrush());
  const settings = new Settings({
    onLook: (threshold) => review?.preview(threshold),
    onLookAway: attempt(() => review?.lookAway()),
    onFade: () => review?.redraw(),
    onChange: restore,
  });
  return {
    viewer,
    settings,
    progress: new ProgressList(),
    layerList: new LayerList(byId("layers"), () => review?.redraw()),
    maskPanel: new MaskPanel(viewer, () => restore(false)),
    onError: complain,
  };
}

function listen() {
  // The command line opened this tab's address again, with a new ticket.
  window.addEventListener("hashchange", () => location.reload());
  byId("message-close").addEventListener("click", () => (byId("message").hidden = true));
  guardLeaving(() => review?.mask.isUnsaved);
  addSaveButtons(saveInTurn);
  const resize = attempt(() => {
    return openPhoto(review.photo, byId("whole-size").checked ? "whole" : "preview");
  });
  byId("whole-size").addEventListener("change", resize);
  byId("cancel").addEventListener("click", () => review.cancel());
  byId("again").addEventListener("click", () => restore(false));
}

/** Build the page in the language that is known so far. */
async function build(language) {
  await speakFirst(language);
  fillTexts(document);
  show(document.querySelector("title"), () => `${text("title")} – ${text("app")}`);
  parts = makeParts();
  listen();
  offerLanguages(byId("language"), attempt);
  for (const control of document.querySelectorAll("#panel input, #panel button")) {
    control.disabled = true;
  }
}

async function begin() {
  let session = null;
  let refusal = null;
  try {
    session = await openSession(() => review?.mask.isUnsaved);
  } catch (error) {
    refusal = error;
  }
  await build(session?.language ?? null);
  if (refusal !== null) complain(refusal);
  else await attempt(start)(session);
}

async function start(session) {
  parts.settings.recommend(session.threshold);
  if (session.photo !== null) await openPhoto(session.photo, "preview");
}

// At once: a file that is dropped meanwhile must not take the place of the page.
listenToFiles(openFile);
const ready = begin();
