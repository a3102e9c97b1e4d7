// What is pressed. The same list is at /keys; the stations' own keys stand on their links (`data-key`).
(() => {
  "use strict";
  const TYPED = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
  let going = 0; // when `g` was pressed

  const say = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

  const KEYS = {
    "/": search,
    "?": () => say("tower:open", "keys"),
    "!": () => say("tower:open", "halt"),
    ".": () => say("tower:pause"),
    "j": () => say("tower:row", "next"),
    "k": () => say("tower:row", "back"),
    "x": () => say("tower:row", "pick"),
    "[": () => step(-1),
    "]": () => step(1),
  };

  const ALONG = { "ArrowLeft": "left", "ArrowRight": "right", "+": "in", "=": "in", "-": "out" };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      say("tower:open", "palette");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.(TYPED) || document.querySelector("dialog:modal")) return;
    if (event.key === "Escape") { say("tower:row", "leave"); return; }
    const gone = Date.now() - going < 1500;
    going = 0;
    if (gone && /^[a-z]$/.test(event.key)) {
      const link = document.querySelector(`.nav a[data-key="${event.key}"]`);
      if (link) { event.preventDefault(); location.href = link.href; }
    } else if (event.key === "g") {
      going = Date.now();
    } else if (KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    } else if (ALONG[event.key] && event.target === document.body) {
      along(event);
    }
  });

  // Where nothing has the focus the arrows scroll, but on a page that has a stretch of time they move that.
  function along(event) {
    const link = document.querySelector(`#main a[data-act="${ALONG[event.key]}"]`);
    if (!link) return;
    event.preventDefault();
    link.click();
  }

  function search() {
    const own = document.getElementById("find");
    if (own) { own.focus(); own.select?.(); } else say("tower:open", "palette");
  }

  // One fact back or on. The past links to both itself; now begins at the last fact this page has heard of.
  function step(by) {
    const link = document.querySelector(`#player a[rel="${by < 0 ? "prev" : "next"}"]`);
    if (link) { location.href = link.href; return; }
    const past = document.body.classList.contains("past");
    const address = new URL(location.href);
    if (past && by > 0) address.searchParams.delete("at");
    else if (!past && by < 0 && document.body.dataset.seq > 1) address.searchParams.set("at", document.body.dataset.seq - 1);
    else return;
    location.href = address;
  }
})();
