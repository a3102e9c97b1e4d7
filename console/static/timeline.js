// The timeline's drawing, moved and zoomed by hand. The server's SVG is complete without it; this draws the same on a
// canvas from columns of numbers, so that 50,000 spans move as smoothly as fifty. What was sent, how it is painted,
// what is said of a span and the hands on it have files of their own (timeline-*.js); here is which stretch is seen, and
// when it is asked for anew.
(() => {
  "use strict";
  const SETTLE_MS = 250, NARROWEST_MS = 2;

  const stamp = (ms) => new Date(Math.round(ms)).toISOString();

  class Drawing {
    constructor(swim) {
      const said = swim.dataset;
      this.swim = swim;
      this.keys = JSON.parse(said.keys);
      this.from = Number(said.since) / 1000;
      this.to = Number(said.until) / 1000;
      this.follows = said.follows === "yes";
      this.live = !document.body.classList.contains("past");
      this.ended = new AbortController(); // takes every listener along
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
        this.spans = new timeline.Spans(sent);
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
      if (this.plot) return;
      this.plot = new timeline.Plot(this.swim);
      this.tip = new timeline.Tip(this.plot);
      timeline.listen(this, this.ended.signal);
      this.sizes = new ResizeObserver(() => this.paint());
      this.sizes.observe(this.plot.field);
      const themes = matchMedia("(prefers-color-scheme: dark)");
      themes.addEventListener("change", () => { this.plot.colours(); this.paint(); }, { signal: this.ended.signal });
      const how = document.querySelector(".swim-how");
      if (how) how.hidden = false;
      this.paint();
    }

    // Its canvas is still on the page: nothing was swapped in over it.
    get shown() {
      return Boolean(this.plot?.field.contains(this.plot.canvas));
    }

    end() {
      this.ended.abort();
      this.sizes?.disconnect();
      this.asking?.abort();
      this.tip?.end();
      clearTimeout(this.settling);
      clearTimeout(this.waiting);
    }

    paint() {
      if (!this.plot) return;
      this.plot.show(this.spans, this.from, this.to, this.marked);
      if (this.frame) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        const began = performance.now();
        this.plot.draw();
        performance.clearMeasures("timeline draw");
        performance.measure("timeline draw", { start: began, end: performance.now() });
      });
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

    open(event) {
      const found = this.plot.hit(event.offsetX, event.offsetY);
      if (found < 0) return;
      const at = new URLSearchParams(location.search).get("at");
      location.href = `/timeline/run/${this.spans.born[found]}` + (at ? `?at=${encodeURIComponent(at)}` : "");
    }
  }

  let drawing = null;
  function begin() {
    const swim = document.querySelector(".swim[data-source]");
    if (drawing && drawing.swim === swim && drawing.shown) return;
    drawing?.end();
    drawing = swim ? new Drawing(swim) : null;
  }
  document.addEventListener("htmx:after:swap", begin);
  document.addEventListener("htmx:before:request", (event) => {
    if (event.detail?.ctx?.sourceElement?.id !== "swim" || !drawing?.plot) return;
    event.preventDefault();
    drawing.refresh();
  });
  begin();
})();
