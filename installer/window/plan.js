// What will be done, and for which GIMP.

import { $, element } from "./elements.js";
import { say, size, text } from "./words.js";

/**
 * Show a plan.
 *
 * @param plan as the installer describes it.
 * @param {string[]} [chosen] folders of the profiles that the user chose; without it all.
 */
export function showPlan(plan, chosen) {
  $("steps").replaceChildren(
    ...plan.steps.filter((step) => step.key !== "record").map(stepRow),
  );
  $("sizes").replaceChildren(...sizes(plan).map(([key, value]) => pair(text(key), value)));
  $("gimp-help").textContent = text(plan.profiles.length ? "gimp.help" : "gimp.none");
  $("profiles").replaceChildren(...plan.profiles.map((profile) => profileRow(profile, chosen)));
  // The page says by itself that there is no GIMP.
  const notes = plan.profiles.length ? plan.notes : [];
  $("notes").replaceChildren(...notes.map((note) => element("li", say(note))));
}

/** The folders of the profiles that are chosen now. */
export function chosenProfiles() {
  return [...$("profiles").querySelectorAll("input:checked")].map((box) => box.value);
}

/** A term and what it stands for, for a list of them. */
export function pair(term, value) {
  const made = document.createElement("div");
  made.append(element("dt", term), element("dd", value));
  return made;
}

function sizes(plan) {
  const isOpen = plan.state !== "complete";
  const facts = [];
  if (isOpen && !plan.offline) {
    const download = plan.download_bytes
      ? text("size.about", { size: { bytes: plan.download_bytes } })
      : text("size.none");
    facts.push(["size.download", download]);
  }
  if (isOpen && plan.offline) facts.push(["size.source", plan.offline]);
  if (isOpen && plan.disk_bytes) {
    facts.push(["size.disk", text("size.about", { size: { bytes: plan.disk_bytes } })]);
  }
  return [...facts, ["size.folder", plan.data]];
}

function stepRow(step) {
  const row = document.createElement("li");
  row.className = step.condition;
  row.append(
    element("span", say(step.title), "what"),
    element("span", step.condition === "done" || !step.disk_bytes ? "" : size(step.disk_bytes), "size"),
    element("span", text(`condition.${step.condition}`), "condition"),
  );
  return row;
}

function profileRow(profile, chosen) {
  const row = document.createElement("label");
  row.className = profile.condition;
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = profile.folder;
  // One that cannot be written is in the way of nothing but itself.
  box.disabled = Boolean(profile.obstacle) && profile.condition !== "done";
  box.checked = !box.disabled && (chosen?.includes(profile.folder) ?? true);
  const words = document.createElement("span");
  words.append(
    element("span", text("gimp.profile", profile), "what"),
    element("span", profile.folder, "place"),
  );
  if (box.disabled) words.append(element("span", say(profile.obstacle), "place fault"));
  row.append(box, words, element("span", text(`condition.${profile.condition}`), "condition"));
  return row;
}
