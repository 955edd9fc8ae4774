// The page is whole without this: it adds a filter over the file trees, and opens everything for print.
"use strict";
for (const tools of document.querySelectorAll(".tools")) {
  const tree = tools.nextElementSibling;
  const leaves = [...tree.querySelectorAll("li.file")];
  const folders = [...tree.querySelectorAll("details")];
  const input = tools.querySelector("input");
  const setOpen = (open) => folders.forEach((folder) => { folder.open = open; });
  tools.hidden = false;
  tools.querySelector("button.open").addEventListener("click", () => setOpen(true));
  tools.querySelector("button.close").addEventListener("click", () => setOpen(false));
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const leaf of leaves) leaf.hidden = wanted !== "" && !leaf.dataset.path.toLowerCase().includes(wanted);
    for (const folder of folders) {
      const some = wanted === "" || folder.querySelector("li.file:not([hidden])") !== null;
      folder.parentElement.hidden = !some;
      if (wanted !== "") folder.open = some;
    }
  });
}
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not(.tree details)")) part.open = true;
});
