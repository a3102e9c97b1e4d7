// A card dragged to another column presses the button of its own menu that orders just that.
(() => {
  "use strict";
  let card = null;
  const board = () => document.querySelector(".kanban");
  const columns = () => document.querySelectorAll(".kanban .col");
  const way = (column) => card?.querySelector(`[data-to="${column.dataset.column}"]`);

  function clear() {
    for (const each of columns()) { delete each.dataset.goes; delete each.dataset.drop; }
    if (board()) delete board().dataset.moving;
  }

  document.addEventListener("dragstart", (event) => {
    card = event.target.closest?.(".card-of[draggable]");
    if (!card) return;
    card.dataset.drag = "";
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", card.id.slice(5));
    board().dataset.moving = "";
    for (const each of columns()) if (way(each)) each.dataset.goes = "";
  });
  document.addEventListener("dragover", (event) => {
    const column = event.target.closest?.(".kanban .col");
    for (const each of columns()) if (each !== column) delete each.dataset.drop;
    if (!card || !column || !way(column)) return;
    event.preventDefault();
    column.dataset.drop = "";
  });
  document.addEventListener("drop", (event) => {
    const column = event.target.closest?.(".kanban .col");
    const button = column && card && way(column);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
  document.addEventListener("dragend", () => {
    if (card) delete card.dataset.drag;
    card = null;
    clear();
  });
})();
