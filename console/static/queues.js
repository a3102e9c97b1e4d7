// Moving a task in its line: by dragging its row, or with Alt and an arrow. Both press the row's own buttons.
(() => {
  "use strict";
  const row = (target) => target?.closest?.("tr[data-line]");
  const press = (from, name) => from.querySelector(`[data-move="${name}"]:not(:disabled)`);
  let moved = ""; // the row that was moved from the keyboard keeps the focus
  let dragged = null;

  document.addEventListener("keydown", (event) => {
    const from = row(event.target);
    if (!from || !event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const far = event.shiftKey ? { ArrowUp: "first", ArrowDown: "last" } : { ArrowUp: "up", ArrowDown: "down" };
    const button = press(from, far[event.key]);
    if (!button) return;
    moved = from.id;
    button.click();
  });

  document.addEventListener("htmx:after:swap", () => {
    const from = moved && document.getElementById(moved);
    if (!from || from.contains(document.activeElement) || document.activeElement !== document.body) return;
    from.querySelector("a[href]")?.focus({ preventScroll: true });
  });

  function over(event) {
    const on = row(event.target);
    return on && dragged && on !== dragged && on.dataset.line === dragged.dataset.line ? on : null;
  }
  function after(on, event) {
    const box = on.getBoundingClientRect();
    return event.clientY > box.top + box.height / 2;
  }
  function clear() {
    for (const each of document.querySelectorAll("tr[data-over]")) delete each.dataset.over;
  }

  document.addEventListener("dragstart", (event) => {
    dragged = row(event.target);
    if (!dragged) return;
    dragged.dataset.drag = "";
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.task);
  });
  document.addEventListener("dragover", (event) => {
    const on = over(event);
    clear();
    if (!on) return;
    event.preventDefault();
    on.dataset.over = after(on, event) ? "after" : "before";
  });
  document.addEventListener("drop", (event) => {
    const on = over(event);
    if (!on) return;
    event.preventDefault();
    const next = on.nextElementSibling;
    const same = next && next.dataset.line === on.dataset.line;
    const before = !after(on, event) ? on.dataset.task : same ? next.dataset.task : "";
    const button = dragged.querySelector('[data-move="drop"]');
    if (before === dragged.dataset.task) return;
    button.value = before;
    button.click();
  });
  document.addEventListener("dragend", () => {
    if (dragged) delete dragged.dataset.drag;
    dragged = null;
    clear();
  });
})();
