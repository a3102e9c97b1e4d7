// Rows. A list is `[data-list]` (a tbody, ul or ol); a row of it is `[data-row]` with an id, a link, and optionally
// `input[type=checkbox][name=pick]` (class check). The current row is the one that has the focus, on its first link;
// so Enter opens it, and nothing is kept that the page does not show. Pages that act on what is picked listen to the
// checkboxes' own `change` events; `x` sends the same.
//
// While the pointer or the focus is in a list, rows that arrive wait behind "3 new", and those that leave stay, pale,
// where they stood: nothing moves under the hand. What changes within a row is shown at once, and so is what the
// reader moved themselves in a list whose order is theirs: `data-list="own"`.
(() => {
  "use strict";
  const rows = () => [...document.querySelectorAll("#main [data-row]")].filter((row) => row.offsetParent);
  const row = () => document.activeElement?.closest?.("[data-row]");

  function go(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(row());
    const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(at + step, all.length - 1))];
    next.querySelector("a[href]")?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function pick() {
    row()?.querySelector("input[type=checkbox][name=pick]")?.click();
  }

  document.addEventListener("tower:row", (event) => {
    if (event.detail === "next") go(1);
    else if (event.detail === "back") go(-1);
    else if (event.detail === "pick") pick();
    else if (row()) document.activeElement.blur();
  });

  // ── arrivals
  const held = new Set(); // panels that have something waiting

  const OWN_MS = 2000; // after an order: its outcome is on the page by then
  let ordered = -Infinity; // when the reader last ordered something in such a list
  const own = (list) => list.dataset.list === "own" && performance.now() - ordered < OWN_MS;
  const busy = (list) => !own(list) && (list.matches(":hover") || list.contains(document.activeElement));
  const ids = (list) => new Set([...list.children].map((child) => child.id).filter(Boolean));

  document.addEventListener("htmx:before:request", (event) => {
    if (event.detail?.ctx?.sourceElement?.closest?.("[data-list=own]")) ordered = performance.now();
  });

  document.addEventListener("htmx:after:request", (event) => {
    const ctx = event.detail?.ctx;
    const panel = ctx?.sourceElement;
    if (!panel?.hasAttribute?.("hx-ptag") || ctx.response?.status !== 200) return;
    const lists = [...panel.querySelectorAll("[data-list]")].filter(busy);
    if (!lists.length || !lists.every((list) => list.id)) { release(panel, false); return; }
    const coming = new DOMParser().parseFromString(`<template>${ctx.text}</template>`, "text/html").querySelector("template");
    let waits = 0;
    for (const list of lists) {
      const next = coming.content.getElementById(list.id);
      if (next) waits += still(list, next, coming.content);
    }
    if (!waits) { release(panel, false); return; }
    ctx.text = coming.innerHTML;
    held.add(panel);
    tell(panel, waits);
  });

  // Make the list that comes stand as the one that is here: its rows in their order, gone ones pale, new ones left out.
  function still(list, next, all) {
    const here = ids(list);
    const there = new Map([...next.children].filter((child) => child.id).map((child) => [child.id, child]));
    const fresh = [...there.keys()].filter((id) => !here.has(id));
    const gone = [...here].filter((id) => !there.has(id));
    const moved = [...here].filter((id) => there.has(id)).join() !== [...there.keys()].filter((id) => here.has(id)).join();
    if (!fresh.length && !gone.length && !moved) return 0;
    for (const id of fresh) there.get(id).remove();
    const kept = [...list.children].filter((child) => child.id).map((child) => {
      if (there.has(child.id)) return there.get(child.id);
      const pale = child.cloneNode(true);
      pale.setAttribute("data-gone", "");
      if (all.getElementById(pale.id)) pale.id = "gone-" + pale.id; // where it went it has its name
      return pale;
    });
    const end = [...next.children];
    while (end.length && !end[0].id) end.shift(); // what stands before the rows stays there, "9 more" after them
    next.append(...kept, ...end.filter((child) => !child.id));
    return fresh.length || 0.5; // 0.5: nothing new, but the order or the end of a row waits
  }

  function tell(panel, waits) {
    let pill = panel.previousElementSibling?.matches?.(".arrivals") ? panel.previousElementSibling : null;
    if (!pill) {
      pill = document.createElement("button");
      pill.type = "button";
      pill.className = "arrivals";
      pill.addEventListener("click", () => { document.activeElement?.blur(); release(panel, true); });
      panel.before(pill);
    }
    const says = waits >= 1 ? `${Math.floor(waits)} new` : "Changed";
    if (pill.textContent !== says) pill.textContent = says;
  }

  function release(panel, ask) {
    if (panel.previousElementSibling?.matches?.(".arrivals")) panel.previousElementSibling.remove();
    if (!held.delete(panel) || !ask) return;
    if (panel._htmx) delete panel._htmx.ptag; // what is shown is not what that tag says
    document.getElementById("live")?.dispatchEvent(new CustomEvent(panel.id));
  }

  // The hand has left: what waited comes in.
  function left() {
    for (const panel of held) {
      if (!panel.isConnected) held.delete(panel);
      else if (![...panel.querySelectorAll("[data-list]")].some(busy)) release(panel, true);
    }
  }
  document.addEventListener("pointerout", () => { if (held.size) setTimeout(left, 150); });
  document.addEventListener("focusout", () => { if (held.size) setTimeout(left, 0); });
})();
