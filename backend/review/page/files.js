// Photos from the desktop: dropped on the page, or chosen in the browser's dialog.

const byId = (id) => document.getElementById(id);

/** Call openFile with each photo that the user brings. */
export function listenToFiles(openFile) {
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
