// Settings that stay over a reload and that tabs share, and links into the page. Runs once for the page.
//
// window.pfldStore:
//   get(name, otherwise)  the value kept under that name, which is any JSON value
//   set(name, value)      keeps it in this browser (localStorage), and tells those who watch it
//   watch(name, act)      calls act(value) after each set
//   query                 URLSearchParams of the address the page was opened with
// Names in use: "network" and "mode" (chosen in Live), "tab", "live" (Live's other settings), "pair", and
// "scheme", "dark" or "light" once the visitor has switched it.
//
// Links: ?tab=pair opens a tab by its id; ?network=ghostone&mode=train-time sets those of Live.

if (!window.pfldStore) {
  const KEY = "pfld";
  const watchers = {};
  let kept = {};
  try {
    kept = JSON.parse(window.localStorage.getItem(KEY)) || {};
  } catch {
    // Not allowed in this window, or written by something else: the page then starts with its own settings.
  }
  const query = new URLSearchParams(window.location.search);
  for (const name of ["tab", "network", "mode"]) if (query.get(name)) kept[name] = query.get(name);
  window.pfldStore = {
    query,
    get: (name, otherwise) => (kept[name] === undefined ? otherwise : kept[name]),
    set(name, value) {
      kept[name] = value;
      try {
        window.localStorage.setItem(KEY, JSON.stringify(kept));
      } catch {
        // As above; the setting then lasts as long as the page.
      }
      (watchers[name] || []).forEach((act) => act(value));
    },
    watch: (name, act) => (watchers[name] = [...(watchers[name] || []), act]),
  };
  const scheme = window.pfldStore.get("scheme");
  if (scheme) document.body.classList.toggle("dark", scheme === "dark");

  const tabs = () => [...document.querySelectorAll(".pf-tabs button[role=tab][data-tab-id]")];
  const isOurs = (tab) => tab.closest(".tabs") === document.querySelector(".pf-tabs");
  // Gradio may still be building the page: a click before that is lost.
  const open = (id, tries) => {
    const tab = tabs().find((candidate) => candidate.dataset.tabId === id && isOurs(candidate));
    if (tab && tab.getAttribute("aria-selected") === "true") return;
    if (tab) tab.click();
    if (tries) window.setTimeout(open, 100, id, tries - 1);
  };
  const note = () => {
    const tab = tabs().find((candidate) => isOurs(candidate) && candidate.getAttribute("aria-selected") === "true");
    if (tab) window.pfldStore.set("tab", tab.dataset.tabId);
  };
  window.setTimeout(() => {
    open(window.pfldStore.get("tab", "live"), 20);
    document.addEventListener("click", () => window.setTimeout(note, 100));
  }, 0);
}
