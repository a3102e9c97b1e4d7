// The timeline's drawing, moved and zoomed by hand. The server's SVG is complete without it; this draws the same on a
// canvas from columns of numbers, so that 50,000 spans move as smoothly as fifty.
(() => {
  "use strict";
  const LOOKS = ["run", "live", "bad", "cut"]; // as the server numbers them
  const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5,
    36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 2592e6];
  const SETTLE_MS = 250, TIP_MS = 120, NARROWEST_MS = 2, ROUND_UP_TO = 3000, KNOWN = 500;

  const pad = (n, to = 2) => String(n).padStart(to, "0");
  const stamp = (ms) => new Date(Math.round(ms)).toISOString();
  function label(ms, step) {
    const at = new Date(ms);
    const clock = `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
    if (step < 1000) return `${clock}:${pad(at.getUTCSeconds())}.${pad(at.getUTCMilliseconds(), 3)}`;
    if (step < 60000) return `${clock}:${pad(at.getUTCSeconds())}`;
    if (step < 864e5 && clock !== "00:00") return clock;
    return at.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  }
  function took(ms) {
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
    if (ms < 36e5) return `${Math.floor(ms / 60000)} m ${pad(Math.floor(ms / 1000) % 60)} s`;
    return `${Math.floor(ms / 36e5)} h ${pad(Math.floor(ms / 60000) % 60)} m`;
  }

  // ── what the server sent, ready to be searched: of each track its spans in order, none over another
  class Spans {
    constructor(sent) {
      const { track, born, start, took: lasts, lead, wait, look } = sent.columns;
      const n = born.length, tracks = sent.keys.length;
      this.since = sent.since / 1000;
      this.until = sent.until / 1000;
      this.time = sent.time / 1000;
      this.count = n;
      this.first = new Uint32Array(tracks + 1);
      for (let i = 0; i < n; i++) this.first[track[i] + 1]++;
      for (let t = 0; t < tracks; t++) this.first[t + 1] += this.first[t];
      const next = this.first.slice();
      this.born = new Float64Array(n);
      this.start = new Float64Array(n);
      this.end = new Float64Array(n);
      this.lead = new Float64Array(n);
      this.wait = new Float64Array(n);
      this.look = new Uint8Array(n);
      for (let i = 0, number = 0, at = this.since; i < n; i++) {
        number += born[i];
        at += start[i];
        const place = next[track[i]]++;
        this.born[place] = number;
        this.start[place] = at;
        this.end[place] = at + lasts[i];
        this.lead[place] = lead[i];
        this.wait[place] = wait[i];
        this.look[place] = look[i];
      }
      const places = new Map(sent.keys.map((key, place) => [key, place]));
      this.parts = sent.parts.filter((part) => places.has(part.track)).map((part) => (
        { track: places.get(part.track), what: part.what, since: part.since / 1000, until: part.until / 1000 }));
    }

    // The first span of a track that ends at or after an instant.
    at(track, instant) {
      let low = this.first[track], high = this.first[track + 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.end[middle] < instant) low = middle + 1;
        else high = middle;
      }
      return low;
    }
  }

  class Drawing {
    constructor(swim) {
      const said = swim.dataset;
      this.swim = swim;
      this.field = swim.querySelector(".swim-field");
      this.keys = JSON.parse(said.keys);
      this.rows = JSON.parse(said.rows);
      [this.axis, this.row, this.bar, this.height] = [said.axis, said.row, said.bar, said.height].map(Number);
      this.from = Number(said.since) / 1000;
      this.to = Number(said.until) / 1000;
      this.follows = said.follows === "yes";
      this.live = !document.body.classList.contains("past");
      this.ended = new AbortController(); // takes every listener along
      this.known = new Map();
      this.load().then((whole) => whole && this.take());
    }

    get address() {
      const url = new URL(this.swim.dataset.source, location.href);
      url.searchParams.set("from", stamp(this.from));
      url.searchParams.set("to", stamp(this.to));
      return url;
    }

    // Ask for the spans around what is seen. False: too many, or gone; the server's drawing stays.
    async load() {
      this.asking?.abort();
      const asking = this.asking = new AbortController(), began = performance.now();
      try {
        const answer = await fetch(this.address, { signal: asking.signal, headers: { Accept: "application/json" } });
        if (!answer.ok) return this.stands();
        const sent = await answer.json();
        if (sent.over) return false;
        if (sent.keys.join("\n") !== this.keys.join("\n")) {
          this.redraw();
          return false;
        }
        this.spans = new Spans(sent);
        this.loadedAt = performance.now();
        this.cost = this.loadedAt - began;
        this.say();
        for (const link of document.querySelectorAll("a[data-export]")) {
          const url = new URL(link.href);
          if (this.live) url.searchParams.set("at", sent.seq);
          url.searchParams.set("from", stamp(this.from));
          url.searchParams.set("to", stamp(Math.min(this.to, this.spans.time + 1)));
          link.href = url.pathname + url.search;
        }
        this.paint();
        return true;
      } catch (error) {
        return error.name === "AbortError" ? false : this.stands();
      }
    }

    // The console did not answer: what is drawn stays, and says as of when it is.
    stands() {
      if (this.spans) this.say(`Not drawn anew since ${stamp(this.spans.time).slice(11, 19)}: the console does not answer.`);
      return false;
    }

    say(words = "") {
      const how = document.querySelector(".swim-how");
      if (!how) return;
      how.dataset.says ??= how.textContent;
      how.textContent = words || how.dataset.says;
    }

    // Have the server lay out other tracks: names, order and drawing.
    redraw() {
      const url = new URL(location.href);
      url.searchParams.set("part", "swim");
      if (globalThis.htmx) globalThis.htmx.ajax("GET", url.pathname + url.search, { target: "#swim", swap: "innerMorph" });
    }

    take() {
      if (this.canvas) return;
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "application");
      const keys = "Arrow keys move, plus and minus zoom; the link As a table gives the same in words.";
      this.canvas.setAttribute("aria-label", `Timeline. ${keys}`);
      this.context = this.canvas.getContext("2d");
      this.field.append(this.canvas);
      this.field.querySelector("svg").setAttribute("visibility", "hidden");
      this.tip = document.createElement("div");
      this.tip.className = "swim-tip";
      this.tip.hidden = true;
      this.field.append(this.tip);
      this.colours();
      this.listen();
      const how = document.querySelector(".swim-how");
      if (how) how.hidden = false;
      this.paint();
    }

    end() {
      this.ended.abort();
      this.sizes?.disconnect();
      this.asking?.abort();
      clearTimeout(this.settling);
      clearTimeout(this.resting);
      clearTimeout(this.waiting);
    }

    // ── colours, as the theme has them just now
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

    // ── drawing
    paint() {
      if (!this.canvas || this.frame) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        const began = performance.now();
        this.draw();
        performance.clearMeasures("timeline draw");
        performance.measure("timeline draw", { start: began, end: performance.now() });
      });
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
        let open = -1, x1 = 0, x2 = 0; // the piece being drawn: spans of one look that touch on the screen are one
        for (let i = spans.at(t, from), last = spans.first[t + 1]; i < last; i++) {
          const left = (spans.start[i] - from) * scale;
          const begins = left - spans.wait[i] * scale;
          if (begins > width) break;
          const look = spans.look[i], drawn = look === 2 ? 0 : look;
          const a = Math.max(-4, left), b = Math.min(width + 4, Math.max((spans.end[i] - from) * scale, left + 1));
          if (spans.wait[i] * scale > 3 && left > 0) waits.push(Math.max(-4, begins), a, y + bar / 2);
          if (left <= width) {
            if (drawn === open && a - x2 < 0.75) x2 = Math.max(x2, b);
            else {
              if (open >= 0) rects[LOOKS[open]].push(x1, x2, y);
              open = drawn; x1 = a; x2 = b;
            }
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

    // ── moving
    show(from, to) {
      const least = Math.max(NARROWEST_MS, to - from);
      this.from = from;
      this.to = from + least;
      this.follows = false;
      this.paint();
      this.brush();
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.settle(), SETTLE_MS);
    }

    move(share) {
      const by = (this.to - this.from) * share;
      this.show(this.from + by, this.to + by);
    }

    zoom(factor, at = (this.from + this.to) / 2) {
      this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
    }

    // Once the hand rests: the address says what is seen, links take it along, and the spans around it are fetched.
    settle() {
      const here = new URL(location.href);
      here.searchParams.set("from", stamp(this.from));
      here.searchParams.set("to", stamp(this.to));
      history.replaceState(history.state, "", here);
      const range = document.getElementById("tl-range");
      const clock = (at) => new Date(at).toISOString().slice(11, 19);
      if (range) range.textContent = `${clock(this.from)} to ${clock(this.to)}, UTC`;
      const chosen = document.querySelectorAll("[aria-label='How far back'] a[aria-current]");
      for (const width of chosen) width.removeAttribute("aria-current");
      for (const link of document.querySelectorAll("a[data-ranged]:not([data-export])")) {
        const url = new URL(link.href);
        url.searchParams.set("from", stamp(this.from));
        url.searchParams.set("to", stamp(this.to));
        link.href = url.pathname + url.search;
      }
      this.load();
    }

    brush() {
      const over = document.querySelector(".over"), frame = over?.querySelector(".brush");
      if (!frame) return;
      const since = Number(over.dataset.since) / 1000, all = Number(over.dataset.until) / 1000 - since;
      const share = (at) => Math.min(100, Math.max(0, (100 * (at - since)) / all));
      frame.setAttribute("x", share(this.from) + "%");
      frame.setAttribute("width", Math.max(0.25, share(this.to) - share(this.from)) + "%");
    }

    // Something changed: the same stretch again, or as much of it up to now.
    refresh() {
      if (document.hidden || this.held || this.waiting) return;
      // At most once a second, and never more than a tenth of the time: of 100,000 spans an answer takes a while.
      const rest = Math.max(1000, 9 * this.cost) - (performance.now() - this.loadedAt);
      if (rest > 0) {
        this.waiting = setTimeout(() => { this.waiting = 0; this.refresh(); }, rest);
        return;
      }
      if (this.follows) {
        const width = this.to - this.from, gone = performance.now() - this.loadedAt;
        this.to = this.spans.time + gone + width / 41;
        this.from = this.to - width;
      }
      clearTimeout(this.settling);
      this.load();
    }

    // ── what stands under the pointer
    hit(x, y) {
      const track = this.rows.findIndex((top) => y >= top && y < top + this.row);
      if (track < 0 || track + 1 >= this.spans.first.length) return -1;
      const at = this.from + x / this.scale, near = 2 / this.scale;
      const found = this.spans.at(track, at - near);
      return found < this.spans.first[track + 1] && this.spans.start[found] <= at + near ? found : -1;
    }

    async point(event) {
      const found = this.hit(event.offsetX, event.offsetY);
      if (found === this.over) return;
      this.over = found;
      clearTimeout(this.resting);
      this.tip.hidden = found < 0;
      this.canvas.classList.toggle("on", found >= 0);
      if (found < 0) return;
      const born = this.spans.born[found];
      const start = this.spans.start[found];
      const says = `${took(this.spans.end[found] - start)}, from ${new Date(start).toISOString().slice(11, 19)}`;
      this.tell(event, this.known.get(born)?.run_id || "", [says]);
      if (this.known.has(born)) return this.tell(event, ...this.words(born, says));
      this.resting = setTimeout(async () => {
        const url = new URL(`/timeline/span/${born}`, location.href);
        url.search = new URLSearchParams([...new URLSearchParams(location.search)].filter(([name]) => name === "at"));
        const answer = await fetch(url, { headers: { Accept: "application/json" } });
        if (!answer.ok) return;
        if (this.known.size > KNOWN) this.known.clear();
        this.known.set(born, await answer.json());
        if (this.over === found) this.tell(event, ...this.words(born, says));
      }, TIP_MS);
    }

    words(born, says) {
      const span = this.known.get(born);
      const why = span.error || span.error_class || span.summary || span.step;
      return [span.run_id, [span.title, `${span.state}, ${says}`, why, `by ${span.agent_id}, lane ${span.lane}`]];
    }

    tell(event, head, lines) {
      const bold = document.createElement("b");
      bold.textContent = head;
      const rest = lines.filter(Boolean).map((line) => Object.assign(document.createElement("span"), { textContent: line }));
      this.tip.replaceChildren(...(head ? [bold] : []), ...rest);
      this.tip.hidden = false;
      const room = this.field.clientWidth - this.tip.offsetWidth - 4;
      this.tip.style.left = Math.max(0, Math.min(event.offsetX + 12, room)) + "px";
      this.tip.style.top = event.offsetY + 16 + "px";
    }

    // ── hands
    listen() {
      const on = (what, name, hear, how = {}) => what.addEventListener(name, hear, { signal: this.ended.signal, ...how });
      on(this.canvas, "pointerdown", (event) => {
        if (event.button) return;
        this.canvas.setPointerCapture(event.pointerId);
        this.held = { x: event.offsetX, from: this.from, to: this.to, mark: event.offsetY < this.axis || event.shiftKey, far: 0 };
      });
      on(this.canvas, "pointermove", (event) => {
        if (!this.held) return this.point(event);
        const by = event.offsetX - this.held.x;
        this.held.far = Math.max(this.held.far, Math.abs(by));
        this.tip.hidden = true;
        if (this.held.mark) {
          this.marked = [this.held.x, event.offsetX];
          this.paint();
        } else if (this.held.far > 2) {
          this.show(this.held.from - by / this.scale, this.held.to - by / this.scale);
        }
      });
      on(this.canvas, "pointerup", (event) => {
        const { held, marked } = this;
        this.held = this.marked = null;
        if (marked && Math.abs(marked[1] - marked[0]) > 4) {
          const at = (x) => this.from + x / this.scale;
          this.show(at(Math.min(...marked)), at(Math.max(...marked)));
        } else if (held && held.far <= 2) this.open(event);
        this.paint();
      });
      on(this.canvas, "pointercancel", () => { this.held = this.marked = null; this.paint(); });
      on(this.canvas, "pointerleave", () => { this.over = -1; this.tip.hidden = true; });
      on(this.canvas, "wheel", (event) => {
        const along = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (along) this.move((event.deltaX || event.deltaY) / this.field.clientWidth);
        else if (event.ctrlKey || event.metaKey || event.offsetY < this.axis) {
          this.zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY / 240))), this.from + event.offsetX / this.scale);
        } else return;
        event.preventDefault();
      }, { passive: false });
      on(this.canvas, "keydown", (event) => {
        const acts = {
          ArrowLeft: () => this.move(-0.1), ArrowRight: () => this.move(0.1), "+": () => this.zoom(0.67),
          "=": () => this.zoom(0.67), "-": () => this.zoom(1.5), PageUp: () => this.move(-0.9), PageDown: () => this.move(0.9),
        };
        if (!acts[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        acts[event.key]();
      });
      for (const button of document.querySelectorAll("a[data-act]")) {
        on(button, "click", (event) => {
          event.preventDefault();
          const acts = {
            left: () => this.move(-0.5), right: () => this.move(0.5), in: () => this.zoom(0.5), out: () => this.zoom(2),
          };
          acts[button.dataset.act]();
        });
      }
      this.sizes = new ResizeObserver(() => this.paint());
      this.sizes.observe(this.field);
      on(matchMedia("(prefers-color-scheme: dark)"), "change", () => { this.colours(); this.paint(); });
      this.listenOver(on);
    }

    listenOver(on) {
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
        if (from !== null && Math.abs(to - from) > all / 200) this.show(Math.min(from, to), Math.max(from, to));
      });
      on(plot, "pointerup", (event) => {
        const to = at(event), half = (this.to - this.from) / 2;
        if (from !== null && Math.abs(to - from) <= all / 200) this.show(to - half, to + half);
        from = null;
      });
    }

    open(event) {
      const found = this.hit(event.offsetX, event.offsetY);
      if (found < 0) return;
      const at = new URLSearchParams(location.search).get("at");
      location.href = `/timeline/run/${this.spans.born[found]}` + (at ? `?at=${encodeURIComponent(at)}` : "");
    }
  }

  let drawing = null;
  function begin() {
    const swim = document.querySelector(".swim[data-source]");
    if (drawing && drawing.swim === swim && drawing.field.contains(drawing.canvas)) return;
    drawing?.end();
    drawing = swim ? new Drawing(swim) : null;
  }
  document.addEventListener("htmx:after:swap", begin);
  document.addEventListener("htmx:before:request", (event) => {
    if (event.detail?.ctx?.sourceElement?.id !== "swim" || !drawing?.canvas) return;
    event.preventDefault();
    drawing.refresh();
  });
  begin();
})();
