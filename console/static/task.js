// The graph opens with its own task in the middle of the box. Without script it opens at its left end.
(() => {
  "use strict";
  const box = document.getElementById("reach-box");
  const mine = box?.querySelector(".node.me rect");
  if (!mine) return;
  const at = mine.getBoundingClientRect(), frame = box.getBoundingClientRect();
  box.scrollLeft += at.left + at.width / 2 - frame.left - frame.width / 2;
  box.scrollTop += at.top + at.height / 2 - frame.top - frame.height / 2;
})();
