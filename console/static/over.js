// What opens over a page: find or do, the keys, the halt. Each is a page of its own; a link with data-over opens it
// here instead, as the dialog the server draws for `?part=over`. Find or do is in the page already, so that no key is
// lost while it opens. The browser keeps the focus in a dialog and gives it back.
(() => {
  "use strict";
  const over = document.getElementById("over");
  if (!over) return;

  const palette = document.querySelector("dialog#palette");
  const shown = () => document.querySelector("dialog[open]");

  async function open(name) {
    if (shown()?.id === name) return;
    if (name === "palette") { palette ? find() : field()?.focus(); return; }
    const link = document.querySelector(`a[data-over="${name}"]`);
    if (!link) return;
    const address = new URL(link.href);
    address.searchParams.set("part", "over");
    const html = await text(address);
    if (html === null) { location.href = link.href; return; }
    shown()?.close();
    over.insertAdjacentHTML("beforeend", html);
    const dialog = over.lastElementChild;
    dialog.addEventListener("close", () => dialog.remove());
    closes(dialog);
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.select();
  }

  function closes(dialog) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); }); // beside it
  }

  // Escape closes at once, wherever the focus is: a search field would keep the first one for itself.
  document.addEventListener("keydown", (event) => {
    const dialog = event.key === "Escape" && over.querySelector("dialog[open]");
    if (!dialog) return;
    event.preventDefault();
    event.stopPropagation();
    dialog.close();
  }, { capture: true });

  async function text(address, signal) {
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" }, signal });
      return answer.ok && !answer.redirected ? await answer.text() : null;
    } catch {
      return null;
    }
  }

  // ── find or do: what is found is drawn by the server while one types; arrows choose, Enter does
  const field = () => document.getElementById("palette-text");
  const found = () => document.getElementById("palette-found");
  const hits = () => [...(found()?.querySelectorAll(".hit") ?? [])];
  let asking = null;
  let later = 0;

  function find() {
    shown()?.close();
    field().value = "";
    palette.showModal();
    ask();
  }

  function tend() {
    point(0);
    field().addEventListener("input", () => {
      clearTimeout(later);
      later = setTimeout(ask, 60);
    });
    field().closest("form").addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(later);
      Promise.resolve(asked === field().value ? null : ask()).then(() => pointed()?.click());
    });
    field().closest("dialog, .palette").addEventListener("keydown", move);
  }

  let asked = null; // what the lines that are shown were found for
  async function ask() {
    asking?.abort();
    asking = new AbortController();
    const form = field().closest("form");
    const address = new URL(form.action);
    for (const [name, value] of new FormData(form)) address.searchParams.set(name, value);
    address.searchParams.set("part", "found");
    const wanted = field().value;
    const html = await text(address, asking.signal);
    if (html === null || !found()) return;
    asked = wanted;
    found().innerHTML = html;
    window.htmx?.process(found()); // an order's answer is a toast over the page one stands on
    point(0);
  }

  const pointed = () => found()?.querySelector(".hit[aria-current]");

  function point(n) {
    const all = hits();
    for (const each of all) each.removeAttribute("aria-current");
    const at = all[Math.max(0, Math.min(n, all.length - 1))];
    at?.setAttribute("aria-current", "true");
    at?.scrollIntoView({ block: "nearest" });
    const says = document.getElementById("palette-says");
    const place = `${all.indexOf(at) + 1} of ${all.length}`;
    if (says) says.textContent = at ? `${place}: ${at.textContent.replace(/\s+/g, " ")}` : "Nothing found";
  }

  function move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    point(hits().indexOf(pointed()) + step);
  }

  if (palette) closes(palette);
  if (field()) tend();

  // ── a press on a link with data-over, and on what only the browser can do
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-over]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      open(link.dataset.over);
    }
    const hit = event.target.closest?.("#over .hit");
    if (hit?.closest("form")) setTimeout(() => hit.closest("dialog")?.close());
    if (hit?.dataset.do === "pause") {
      hit.closest("dialog").close();
      document.dispatchEvent(new CustomEvent("tower:pause"));
    } else if (hit?.matches("a[href]")) {
      const name = { "/halt": "halt", "/keys": "keys" }[new URL(hit.href).pathname];
      if (name) {
        event.preventDefault();
        open(name);
      } else {
        hit.closest("dialog").close(); // a link to this very page closes it, too
      }
    }
  });
  document.addEventListener("tower:open", (event) => open(event.detail));
})();
