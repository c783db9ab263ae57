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
    if (!other || inUse(part) || signature(other) === signature(part)) continue;
    for (const opened of part.querySelectorAll("details.mail[open]")) {
      const same = other.querySelector(`#${CSS.escape(opened.id)}`);
      if (same) same.open = true;
    }
    part.replaceWith(document.adoptNode(other));
  }
}

function inUse(part) {
  const written = [...part.querySelectorAll("textarea")].some((box) => box.value);
  return written || part.contains(document.activeElement) || part.querySelector("details.by-hand[open]");
}

function signature(part) {
  return part.textContent.replace(/\s+/g, " ");
}

function again() {
  setTimeout(() => freshen().catch(() => {}).finally(again), PAUSE);
}

again();
