// What an installation has brought: the example, the way on in GIMP and without, where all lies.

import { $, element, show } from "./elements.js";
import { pair } from "./plan.js";
import { readPicture } from "./server.js";
import { say, text } from "./words.js";

let pictures = [];

/** Show the result of an installation; its pictures come a little later. */
export function showResult(result) {
  show("in-gimp", result.plugins.length > 0);
  $("gimp-menu").textContent = text("result.gimp.menu", { menu: text("result.gimp.path") });
  $("plug-ins").replaceChildren(
    ...result.plugins.map((one) => pair(text("gimp.profile", one), one.folder)),
  );
  $("terminal").textContent = `${result.command} restore PHOTO`;
  const way = text("result.remove.text", { folder: result.checkout });
  const removal = pair(text("result.remove"), way);
  removal.lastChild.append(element("code", result.removal));
  $("places").replaceChildren(
    pair(text("result.program"), result.program),
    pair(text("result.folder"), result.folder),
    removal,
  );
  showFault("example-error", result.example_error);
  show("example", result.has_example);
}

/** Fetch the example's pictures; they replace those of an earlier one. */
export async function loadExample() {
  const fresh = await Promise.all(["before", "after"].map(readPicture));
  for (const address of pictures) URL.revokeObjectURL(address);
  pictures = fresh;
  [$("before").src, $("after").src] = pictures;
  moveSlider();
}

/** Let the border between the pictures follow the pointer and the keys. */
export function listenToSlider() {
  $("border").addEventListener("input", moveSlider);
}

function moveSlider() {
  $("comparison").style.setProperty("--border", `${$("border").value}%`);
}

/** Show how far the page to restore a photo is. */
export function showReview({ review, review_error: error }) {
  $("review").disabled = review === "opening";
  $("review-state").textContent = review ? text(`result.review.${review}`) : "";
  showFault("review-error", error);
}

function showFault(id, message) {
  show(id, Boolean(message));
  if ($(id).textContent !== say(message)) $(id).textContent = say(message);
}
