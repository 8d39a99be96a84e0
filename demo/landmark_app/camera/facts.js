// What the app knows without a camera: sizes of networks, and what they find on the example; part of live.js.

const FACTS_AGAIN_MS = 5000; // after facts could not be loaded
const facts = {}; // by name; null while they load
let factsTimer = 0;

async function loadFact(name, load) {
  if (name in facts) return;
  facts[name] = null;
  const found = await load().catch(() => undefined);
  if (found && !found.error) facts[name] = found;
  else {
    delete facts[name];
    window.clearTimeout(factsTimer);
    factsTimer = window.setTimeout(() => view.loadFacts(), FACTS_AGAIN_MS);
  }
  view.write();
}
