// Keeps the page as it is by now, without taking away what somebody is typing: every few seconds the parts that are
// marked `data-fresh` are asked for again, and put in place where they have changed. The page works without it.
"use strict";

const PAUSE = 2500;

async function freshen() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const other = page.querySelector(`[data-fresh="${part.dataset.fresh}"]`);
    const inUse = part.contains(document.activeElement) || part.querySelector("details.by-hand[open]");
    // Emails hold frames and forms of their own: they are only replaced when one has come or changed its state.
    if (other && !inUse && signature(other) !== signature(part)) part.replaceWith(document.adoptNode(other));
  }
}

function signature(part) {
  return part.textContent.replace(/\s+/g, " ");
}

function again() {
  setTimeout(() => freshen().catch(() => {}).finally(again), PAUSE);
}

again();
