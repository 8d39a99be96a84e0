// For the whole page, once: colour scheme, copying of code, keys, and names that Gradio's components lack.
// Runs as the body of a function of the header's element.

element.querySelector(".pf-scheme").addEventListener("click", () => {
  const isDark = document.body.classList.toggle("dark");
  window.pfldStore.set("scheme", isDark ? "dark" : "light"); // made by camera/settings.js
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest && event.target.closest(".pf-copy");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select the code and press Ctrl+C";
  }
  window.setTimeout(() => { button.textContent = "Copy"; }, 2500);
});
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const tab = step && event.target.closest && event.target.closest("[role=tab]");
  if (!tab) return;
  const row = [...tab.parentElement.querySelectorAll("[role=tab]")];
  const other = row[(row.indexOf(tab) + step + row.length) % row.length];
  event.preventDefault();
  other.click();
  other.focus();
});

// What is said of files of another kind stays; Gradio's own message would go after some seconds.
const PHOTOS = ["image/", "Choose a photo: JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, AVIF or PPM."];
const VIDEOS = ["video/", "Choose a video, such as MP4, MOV, WebM, MKV or AVI."];
const TAKEN = { photo: PHOTOS, "pair-photo": PHOTOS, "video-in": VIDEOS };
const forgetOtherKinds = () => document.querySelectorAll(".pf-other-kind").forEach((told) => told.remove());
const checkFiles = (event, files) => {
  const place = event.target.closest("#photo, #pair-photo, #video-in");
  if (!place || !files.length) return;
  forgetOtherKinds();
  const [kind, words] = TAKEN[place.id];
  const other = [...files].find((file) => !file.type.startsWith(kind));
  if (!other) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.type === "change") event.target.value = "";
  else event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true })); // its frame changes back
  const told = Object.assign(document.createElement("p"), { className: "pf-note pf-error pf-other-kind", textContent: `${other.name} cannot be taken. ${words}` });
  told.setAttribute("role", "alert");
  place.after(told);
};
document.addEventListener("drop", (event) => checkFiles(event, event.dataTransfer ? event.dataTransfer.files : []), true);
document.addEventListener("change", (event) => event.target.type === "file" && checkFiles(event, event.target.files), true);
document.addEventListener("click", (event) => event.target.closest(".pf-example") && forgetOtherKinds());

// The input of a photo shows a file that is no picture as a broken one; the words beside it say enough.
for (const [name, visibility] of [["error", "hidden"], ["load", ""]])
  document.addEventListener(name, (event) => {
    if (event.target.matches?.("#photo img, #pair-photo img")) event.target.style.visibility = visibility;
  }, true);

// Gradio gives every radio button a name of its own, so that Tab stops at each and arrow keys do nothing.
// With one name for the buttons of a group, browsers treat them as a group.
let groups = 0;
const nameRadios = () => {
  for (const set of document.querySelectorAll("fieldset:has(input[type=radio][name^=radio-])")) {
    set.dataset.radios ||= `group-${(groups += 1)}`;
    for (const radio of set.querySelectorAll("input[type=radio]")) radio.name = set.dataset.radios;
  }
};
// Places for pictures that are still empty have a label, which only an element with a role may have.
const nameEmpty = () => {
  for (const empty of document.querySelectorAll("div[aria-label='Empty value']:not([role])")) empty.setAttribute("role", "img");
};
let isDue = false;
new MutationObserver(() => {
  if (isDue) return;
  isDue = true;
  window.requestAnimationFrame(() => {
    isDue = false;
    nameRadios();
    nameEmpty();
  });
}).observe(document.body, { childList: true, subtree: true });
