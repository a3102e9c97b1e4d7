// Ticking many rows: how many, all that are shown, and a range with Shift. Without it ticking and the bar still work.
(() => {
  "use strict";
  const list = () => document.getElementById("tasks");
  const boxes = () => [...document.querySelectorAll("#task-rows input[name=pick]")];
  let last = null; // where a range begins

  function count() {
    const all = boxes();
    const ticked = all.filter((box) => box.checked).length;
    const every = document.getElementById("pick-every")?.checked;
    const said = list()?.querySelector("[data-picked]");
    const words = every ? "Every match" : ticked ? `${ticked} selected` : "With those ticked";
    if (said && said.textContent !== words) said.textContent = words;
    const head = list()?.querySelector("[data-pick-all]");
    if (head) {
      head.hidden = false;
      head.checked = all.length > 0 && ticked === all.length;
      head.classList.toggle("some", ticked > 0 && ticked < all.length);
    }
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-all]")) for (const box of boxes()) box.checked = event.target.checked;
    if (event.target.closest("#tasks")) count();
  });
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("#task-rows input[name=pick]");
    if (!box) return;
    const all = boxes();
    if (event.shiftKey && last && all.includes(last)) {
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const each of all.slice(from, to + 1)) each.checked = box.checked;
      count();
    }
    last = box;
  });
  document.addEventListener("tower:row", (event) => {
    if (event.detail === "leave") document.querySelector("[data-peek-close]")?.click();
  });
  document.addEventListener("htmx:after:swap", count);
  addEventListener("pageshow", count); // the browser ticks again what was ticked when the reader left
  count();

  // Many orders go in batches; the next one is sent by itself, unless the reader stops it.
  const on = document.querySelector("form[data-go-on]");
  if (on) setTimeout(() => { if (!on.dataset.held) on.requestSubmit(); }, 300);
  document.querySelector("[data-hold]")?.addEventListener("click", () => { on.dataset.held = "yes"; });
})();
