// What the timeline says of the span under the pointer: at once what it knows, then what the server tells of it.
(() => {
  "use strict";
  const TIP_MS = 120, KNOWN = 500;

  const pad = (n, to = 2) => String(n).padStart(to, "0");
  function took(ms) {
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
    if (ms < 36e5) return `${Math.floor(ms / 60000)} m ${pad(Math.floor(ms / 1000) % 60)} s`;
    return `${Math.floor(ms / 36e5)} h ${pad(Math.floor(ms / 60000) % 60)} m`;
  }

  timeline.Tip = class {
    constructor(plot) {
      this.plot = plot;
      this.known = new Map(); // by birth, what was told of a span
      this.box = document.createElement("div");
      this.box.className = "swim-tip";
      this.box.hidden = true;
      plot.field.append(this.box);
    }

    hide() {
      this.box.hidden = true;
    }

    leave() {
      this.over = -1;
      this.hide();
    }

    end() {
      clearTimeout(this.resting);
    }

    async point(event) {
      const found = this.plot.hit(event.offsetX, event.offsetY);
      if (found === this.over) return;
      this.over = found;
      clearTimeout(this.resting);
      this.box.hidden = found < 0;
      this.plot.canvas.classList.toggle("on", found >= 0);
      if (found < 0) return;
      const { spans } = this.plot, born = spans.born[found], start = spans.start[found];
      const says = `${took(spans.end[found] - start)}, from ${new Date(start).toISOString().slice(11, 19)}`;
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
      this.box.replaceChildren(...(head ? [bold] : []), ...rest);
      this.box.hidden = false;
      const room = this.plot.field.clientWidth - this.box.offsetWidth - 4;
      this.box.style.left = Math.max(0, Math.min(event.offsetX + 12, room)) + "px";
      this.box.style.top = event.offsetY + 16 + "px";
    }
  };
})();
