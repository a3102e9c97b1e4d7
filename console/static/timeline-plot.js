// The timeline's spans painted on a canvas, and which of them stands at a place of it.
(() => {
  "use strict";
  const LOOKS = ["run", "live", "bad", "cut"]; // as the server numbers them
  const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5,
    36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 2592e6];
  const ROUND_UP_TO = 3000; // rectangles and lines; of more, round corners and dashes take too long
  const APART = 5; // pixels: two runs as wide as this are drawn with a gap between them, however close they stand

  const pad = (n, to = 2) => String(n).padStart(to, "0");
  function label(ms, step) {
    const at = new Date(ms);
    const clock = `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
    if (step < 1000) return `${clock}:${pad(at.getUTCSeconds())}.${pad(at.getUTCMilliseconds(), 3)}`;
    if (step < 60000) return `${clock}:${pad(at.getUTCSeconds())}`;
    if (step < 864e5 && clock !== "00:00") return clock;
    return at.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  }

  timeline.Plot = class {
    constructor(swim) {
      const said = swim.dataset;
      this.swim = swim;
      this.field = swim.querySelector(".swim-field");
      this.rows = JSON.parse(said.rows);
      [this.axis, this.row, this.bar, this.height] = [said.axis, said.row, said.bar, said.height].map(Number);
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "application");
      const keys = "Arrow keys move, plus and minus zoom; the link As a table gives the same in words.";
      this.canvas.setAttribute("aria-label", `Timeline. ${keys}`);
      this.context = this.canvas.getContext("2d");
      this.field.append(this.canvas);
      this.field.querySelector("svg").setAttribute("visibility", "hidden");
      this.colours();
    }

    // What it shows from now on: spans between two instants; ``marked``: two edges of a stretch being marked, or nothing.
    show(spans, from, to, marked) {
      Object.assign(this, { spans, from, to, marked });
    }

    // The instant at a place.
    at(x) {
      return this.from + x / this.scale;
    }

    // The span at a place; -1: none.
    hit(x, y) {
      const track = this.rows.findIndex((top) => y >= top && y < top + this.row);
      if (track < 0 || track + 1 >= this.spans.first.length) return -1;
      const at = this.at(x), near = 2 / this.scale;
      const found = this.spans.at(track, at - near);
      return found < this.spans.first[track + 1] && this.spans.start[found] <= at + near ? found : -1;
    }

    // The colours, as the theme has them just now.
    colours() {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.classList.add("swim-plot");
      svg.setAttribute("hidden", "");
      this.swim.append(svg);
      const read = (name, what) => {
        const probe = document.createElementNS("http://www.w3.org/2000/svg", "path");
        probe.setAttribute("class", name);
        svg.append(probe);
        return getComputedStyle(probe)[what];
      };
      this.paints = {
        run: read("bar-run", "fill"), live: read("bar-live", "fill"), cut: read("bar-cut", "fill"),
        bad: read("bar-bad", "fill"), wait: read("bar-wait", "stroke"), order: read("bar-stopping", "stroke"),
        lead: read("bar-lead", "fill"), grid: read("grid", "stroke"), band: read("band", "fill"),
        now: read("nowline", "stroke"), flag: read("now-text", "fill"),
        ink: getComputedStyle(this.swim.querySelector(".quiet")).color,
      };
      this.font = "11px " + getComputedStyle(document.body).fontFamily;
      svg.remove();
    }

    draw() {
      const ratio = devicePixelRatio || 1, width = this.field.clientWidth, canvas = this.canvas, c = this.context;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(this.height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(this.height * ratio);
      }
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      c.clearRect(0, 0, width, this.height);
      c.font = this.font;
      this.scale = width / (this.to - this.from);
      c.fillStyle = this.paints.band;
      for (let t = 1; t < this.rows.length; t += 2) c.fillRect(0, this.rows[t], width, this.row);
      this.drawTicks(c, width);
      this.drawSpans(c, width);
      this.drawNow(c, width);
      if (this.marked) {
        c.globalAlpha = 0.12;
        c.fillStyle = this.paints.now;
        c.fillRect(Math.min(...this.marked), 0, Math.abs(this.marked[1] - this.marked[0]), this.height);
        c.globalAlpha = 1;
      }
    }

    drawTicks(c, width) {
      const step = STEPS.find((each) => (this.to - this.from) / each <= Math.max(2, width / 90)) || STEPS.at(-1);
      c.lineWidth = 1;
      c.strokeStyle = this.paints.grid;
      c.fillStyle = this.paints.ink;
      c.textAlign = "start";
      c.beginPath();
      for (let at = Math.ceil(this.from / step) * step; at < this.to; at += step) {
        const x = Math.round((at - this.from) * this.scale) + 0.5;
        c.moveTo(x, this.axis - 4);
        c.lineTo(x, this.height);
        if (x < width - 40) c.fillText(label(at, step), x + 3, 16);
      }
      c.stroke();
    }

    drawSpans(c, width) {
      const { spans, from, scale, bar } = this;
      const inset = (this.row - bar) / 2;
      const rects = { run: [], live: [], cut: [], bad: [] }, ends = [], waits = [], leads = [];
      for (let t = 0; t < this.rows.length && t + 1 < spans.first.length; t++) {
        const y = this.rows[t] + inset;
        // The piece being drawn: spans of one look that touch on the screen are one, but for two that can be told apart.
        let open = -1, x1 = 0, x2 = 0, lastA = 0;
        for (let i = spans.at(t, from), last = spans.first[t + 1]; i < last; i++) {
          const left = (spans.start[i] - from) * scale;
          const begins = left - spans.wait[i] * scale;
          if (begins > width) break;
          const look = spans.look[i], drawn = look === 2 ? 0 : look;
          const a = Math.max(-4, left), b = Math.min(width + 4, Math.max((spans.end[i] - from) * scale, left + 1));
          if (spans.wait[i] * scale > 3 && left > 0) waits.push(Math.max(-4, begins), a, y + bar / 2);
          if (left <= width) {
            const touches = drawn === open && a - x2 < 0.75;
            if (touches && (b - a < APART || x2 - lastA < APART)) x2 = Math.max(x2, b);
            else {
              if (open >= 0) rects[LOOKS[open]].push(x1, touches ? Math.max(x1 + 1, a - 1) : x2, y);
              open = drawn; x1 = a; x2 = b;
            }
            lastA = a;
            if (spans.lead[i] * scale > 3) leads.push(a, a + spans.lead[i] * scale, y);
            if (look === 2 && b <= width + 4) ends.push(b, y);
          }
        }
        if (open >= 0) rects[LOOKS[open]].push(x1, x2, y);
      }
      this.drawWaits(c, waits);
      for (const name of ["cut", "run", "live"]) this.fill(c, rects[name], this.paints[name], bar);
      this.fill(c, leads, this.paints.lead, bar);
      c.strokeStyle = this.paints.order;
      c.lineWidth = 1.25;
      for (const part of spans.parts) {
        const x = (part.since - from) * scale, w = (part.until - part.since) * scale;
        if (x < width && x + w > 0 && part.track < this.rows.length) {
          c.strokeRect(x, this.rows[part.track] + inset + 0.5, Math.max(2, w), bar - 1);
        }
      }
      c.fillStyle = this.paints.bad;
      for (let i = 0, x = -9, y = -1; i < ends.length; i += 2) {
        if (ends[i] - x < 1 && ends[i + 1] === y) continue;
        [x, y] = [ends[i], ends[i + 1]];
        c.fillRect(x - 3, y, 5, bar);
      }
    }

    fill(c, rects, paint, bar) {
      c.fillStyle = paint;
      const round = rects.length < ROUND_UP_TO && c.roundRect;
      if (round) c.beginPath();
      for (let i = 0; i < rects.length; i += 3) {
        const w = Math.max(1, rects[i + 1] - rects[i]);
        if (round) c.roundRect(rects[i], rects[i + 2], w, bar, Math.min(2.5, w / 2));
        else c.fillRect(rects[i], rects[i + 2], w, bar);
      }
      if (round) c.fill();
    }

    drawWaits(c, waits) {
      c.strokeStyle = this.paints.wait;
      c.lineWidth = 1.5;
      c.setLineDash(waits.length < ROUND_UP_TO ? [3, 3] : []);
      c.beginPath();
      for (let i = 0; i < waits.length; i += 3) {
        c.moveTo(waits[i], waits[i + 2]);
        c.lineTo(waits[i + 1], waits[i + 2]);
      }
      c.stroke();
      c.setLineDash([]);
    }

    drawNow(c, width) {
      const x = (this.spans.time - this.from) * this.scale;
      if (x < 0 || x > width) return;
      c.strokeStyle = this.paints.now;
      c.lineWidth = 1.5;
      c.beginPath();
      c.moveTo(x, this.axis - 8);
      c.lineTo(x, this.height);
      c.stroke();
      c.fillStyle = this.paints.now;
      const left = Math.max(0, Math.min(width - 60, x - 56));
      c.fillRect(left, 2, 60, 18);
      c.fillStyle = this.paints.flag;
      c.textAlign = "center";
      c.fillText(new Date(this.spans.time).toISOString().slice(11, 19), left + 30, 15);
    }
  };
})();
