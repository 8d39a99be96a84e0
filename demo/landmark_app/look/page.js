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
