// The player: goes on through time by itself, one page after the other of the same address with another `at`. What is
// swapped is what the server draws for that moment; without script the links do the same, step by step.
(() => {
  "use strict";
  const EVERY_MS = 250; // at most four moments a second
  const QUIET_MS = 1500; // a stretch without a fact that would take longer is passed over
  const REGIONS = ["#nav", ".banner", ".bar", "#main", "#player"];

  const host = document.getElementById("player");
  if (!host) return;
  let playing = false, timer = 0, asking = null, time = 0, ticked = 0, speed = 10, said = "";

  const bar = () => host.querySelector(".player-in");
  const number = (name) => Number(bar()?.dataset[name] || 0);

  // Microseconds, so that no fact is stepped over: two may stand within one millisecond.
  function stamp(us) {
    const whole = Math.floor(us / 1000);
    return new Date(whole).toISOString().slice(0, -1) + String(Math.floor(us - whole * 1000)).padStart(3, "0") + "Z";
  }

  async function go(at) {
    const address = new URL(location.href);
    for (const once of ["at", "seen", "told", "part"]) address.searchParams.delete(once);
    address.searchParams.set("at", at);
    asking?.abort();
    const mine = asking = new AbortController();
    try {
      const answer = await fetch(address, { signal: mine.signal, headers: { Accept: "text/html" } });
      if (answer.redirected && new URL(answer.url).pathname === "/login") { location.href = answer.url; return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine.signal.aborted) return;
      if (!answer.ok) { stop(page.querySelector("h1 + p")?.textContent || "That moment cannot be shown."); return; }
      await swap(page);
      history.replaceState(history.state, "", address);
    } catch (error) {
      if (error.name !== "AbortError") stop("The console does not answer.");
    }
  }

  async function swap(page) {
    const scrubbed = document.activeElement?.matches?.(".scrub-by"); // hidden for a moment, it would lose the focus
    document.title = page.title;
    document.body.dataset.seq = page.body.dataset.seq || "";
    for (const region of REGIONS) {
      const here = document.querySelector(region), there = page.querySelector(region);
      if (!here || !there) continue;
      const swap = { sourceElement: here, target: here, text: there.innerHTML, swap: "innerMorph" };
      if (globalThis.htmx) await globalThis.htmx.swap(swap);
      else here.replaceChildren(...there.childNodes);
    }
    dress();
    if (scrubbed) host.querySelector(".scrub-by")?.focus({ preventScroll: true });
  }

  // ── playing
  function play() {
    playing = true;
    time = Math.max(time, number("time"));
    ticked = performance.now();
    said = "";
    dress();
    tick();
  }

  function stop(why = "") {
    playing = false;
    clearTimeout(timer);
    said = why;
    dress();
  }

  async function tick() {
    if (!playing) return;
    const now = performance.now();
    if (!document.hidden) time += (now - ticked) * 1000 * speed;
    ticked = now;
    const next = number("nextAt");
    if (!next) return stop("This is the last fact so far.");
    if ((next - time) / 1000 / speed > QUIET_MS) time = next;
    if (time >= next) await go(stamp(time));
    if (playing) timer = setTimeout(tick, EVERY_MS);
  }

  // ── the part is drawn anew with each moment: what only this script knows is put back on it
  function dress() {
    const section = bar();
    if (!section) return;
    const [button, by, pace] = [".play", ".scrub-by", ".speed"].map((part) => section.querySelector(part));
    for (const each of [button, by, pace]) if (each) each.hidden = false;
    button.setAttribute("aria-pressed", String(playing));
    button.title = playing ? "Pause (space)" : "Play (space)";
    const use = button.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#i-\w+$/, playing ? "#i-pause" : "#i-play"));
    button.querySelector(".vh").textContent = playing ? "Pause" : "Play";
    const select = pace?.querySelector("select");
    if (select) select.value = String(speed);
    if (by && document.activeElement !== by) by.value = String(Math.floor(number("time") / 1000));
    section.querySelector(".player-says").textContent = said;
  }

  function jump(seq) {
    stop();
    time = 0;
    return go(seq);
  }

  host.addEventListener("click", (event) => {
    if (event.target.closest(".play")) return playing ? stop() : play();
    const link = event.target.closest("a[data-go]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    jump(link.dataset.go);
  });
  host.addEventListener("change", (event) => {
    if (event.target.closest(".speed")) speed = Number(event.target.value);
  });
  let scrubbing = 0;
  host.addEventListener("input", (event) => {
    if (!event.target.matches(".scrub-by")) return;
    stop();
    const ms = Number(event.target.value);
    event.target.setAttribute("aria-valuetext", new Date(ms).toISOString().slice(11, 19));
    clearTimeout(scrubbing);
    time = ms * 1000;
    scrubbing = setTimeout(() => go(stamp(Math.max(time, number("since")))), 60);
  });

  let went = -Infinity; // when `g` was pressed
  // ── keys: before those of every page, which would load the page anew
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const own = "input:not([type=range]), textarea, select, button, a, summary, [contenteditable]";
    if (event.key === " " && event.target.closest?.(own)) return;
    if (event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable]")) return;
    const gone = performance.now() - went < 1500; // `g b` goes to the board
    went = event.key === "g" ? performance.now() : -Infinity;
    if (gone) return;
    const near = { "[": "a[rel=prev][data-go]", "]": "a[rel=next][data-go]", f: "a[title^='Next failure'][data-go]" };
    if (event.key === " ") playing ? stop() : play();
    else if (near[event.key]) {
      const link = host.querySelector(near[event.key]);
      if (!link) return; // after the last fact comes now: every page's own keys go there
      jump(link.dataset.go);
    }
    else if (event.key === "b") {
      const ask = host.querySelector("#bookmark");
      if (!ask) return;
      stop();
      ask.open = true;
      ask.querySelector("input[name=title]").focus();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, { capture: true });

  dress();
})();
