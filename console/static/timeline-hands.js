// The hands on the timeline: pointer, wheel, keys and buttons move and zoom its drawing; so does the strip above it.
(() => {
  "use strict";

  // Hear them until ``signal`` ends it.
  timeline.listen = (drawing, signal) => {
    const on = (what, name, hear, how = {}) => what.addEventListener(name, hear, { signal, ...how });
    listenToPointer(drawing, on);
    listenToWheel(drawing, on);
    listenToKeys(drawing, on);
    listenToButtons(drawing, on);
    listenOver(drawing, on);
  };

  // Dragged: moved along, or over the axis and with Shift a stretch is marked. Pressed without: the span's page.
  function listenToPointer(drawing, on) {
    const { plot, tip } = drawing;
    on(plot.canvas, "pointerdown", (event) => {
      if (event.button) return;
      plot.canvas.setPointerCapture(event.pointerId);
      const mark = event.offsetY < plot.axis || event.shiftKey;
      drawing.held = { x: event.offsetX, from: drawing.from, to: drawing.to, mark, far: 0 };
    });
    on(plot.canvas, "pointermove", (event) => {
      const held = drawing.held;
      if (!held) return tip.point(event);
      const by = event.offsetX - held.x;
      held.far = Math.max(held.far, Math.abs(by));
      tip.hide();
      if (held.mark) {
        drawing.marked = [held.x, event.offsetX];
        drawing.paint();
      } else if (held.far > 2) {
        drawing.show(held.from - by / plot.scale, held.to - by / plot.scale);
      }
    });
    on(plot.canvas, "pointerup", (event) => {
      const { held, marked } = drawing;
      drawing.held = drawing.marked = null;
      if (marked && Math.abs(marked[1] - marked[0]) > 4) {
        drawing.show(plot.at(Math.min(...marked)), plot.at(Math.max(...marked)));
      } else if (held && held.far <= 2) drawing.open(event);
      drawing.paint();
    });
    on(plot.canvas, "pointercancel", () => { drawing.held = drawing.marked = null; drawing.paint(); });
    on(plot.canvas, "pointerleave", () => tip.leave());
  }

  function listenToWheel(drawing, on) {
    const { plot } = drawing;
    on(plot.canvas, "wheel", (event) => {
      const along = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (along) drawing.move((event.deltaX || event.deltaY) / plot.field.clientWidth);
      else if (event.ctrlKey || event.metaKey || event.offsetY < plot.axis) {
        drawing.zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY / 240))), plot.at(event.offsetX));
      } else return;
      event.preventDefault();
    }, { passive: false });
  }

  function listenToKeys(drawing, on) {
    const acts = {
      ArrowLeft: () => drawing.move(-0.1), ArrowRight: () => drawing.move(0.1), "+": () => drawing.zoom(0.67),
      "=": () => drawing.zoom(0.67), "-": () => drawing.zoom(1.5), PageUp: () => drawing.move(-0.9),
      PageDown: () => drawing.move(0.9),
    };
    on(drawing.plot.canvas, "keydown", (event) => {
      if (!acts[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      acts[event.key]();
    });
  }

  function listenToButtons(drawing, on) {
    const acts = {
      left: () => drawing.move(-0.5), right: () => drawing.move(0.5), in: () => drawing.zoom(0.5), out: () => drawing.zoom(2),
    };
    for (const button of document.querySelectorAll("a[data-act]")) {
      on(button, "click", (event) => {
        event.preventDefault();
        acts[button.dataset.act]();
      });
    }
  }

  function listenOver(drawing, on) {
    const over = document.querySelector(".over"), plot = over?.querySelector(".over-plot");
    if (!plot) return;
    const since = Number(over.dataset.since) / 1000, all = Number(over.dataset.until) / 1000 - since;
    const at = (event) => {
      const box = plot.getBoundingClientRect();
      return since + (Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))) * all;
    };
    let from = null;
    on(plot, "click", (event) => event.preventDefault());
    on(plot, "dragstart", (event) => event.preventDefault());
    on(plot, "pointerdown", (event) => { plot.setPointerCapture(event.pointerId); from = at(event); });
    on(plot, "pointermove", (event) => {
      const to = at(event);
      if (from !== null && Math.abs(to - from) > all / 200) drawing.show(Math.min(from, to), Math.max(from, to));
    });
    on(plot, "pointerup", (event) => {
      const to = at(event), half = (drawing.to - drawing.from) / 2;
      if (from !== null && Math.abs(to - from) <= all / 200) drawing.show(to - half, to + half);
      from = null;
    });
  }
})();
