// Buttons that save the layers in one of the formats.
import { show, text } from "./texts.js";

const FORMATS = ["png", "tiff", "openraster"];

const byId = (id) => document.getElementById(id);

/** Offer the formats; save(format) is called when one is chosen. */
export function addSaveButtons(save) {
  for (const format of FORMATS) {
    const button = byId("save").appendChild(document.createElement("button"));
    button.type = "button";
    button.dataset.format = format;
    show(button.appendChild(document.createElement("b")), () => text(`save.${format}`));
    show(button.appendChild(document.createElement("span")), () => text(`save.${format}.hint`));
    button.addEventListener("click", () => save(format));
  }
}

/** Let the browser stream a file of the backend to the disk. */
export function download(file) {
  const link = document.createElement("a");
  Object.assign(link, { href: file.path, download: file.name });
  link.click();
}

/** What the layers of a file are called. */
export function layerNames() {
  return {
    group: text("file.group"),
    faces: text("layers.face"),
    // The backend counts.
    face: text("file.face", { number: "{number}" }),
    repair: text("layers.repair"),
    restored: text("layers.restored"),
    mask: text("file.mask"),
    flattened: text("file.flattened"),
  };
}
