// A run's output as it comes: only what is new is fetched, and the newest lines stay in sight while they are followed.
(() => {
  "use strict";
  const live = document.getElementById("live");
  const box = document.getElementById("output");
  const log = box?.querySelector(".log[data-steady]");
  if (log?.hasAttribute("data-tail")) log.scrollTop = log.scrollHeight; // as it stood then: its end
  if (!live || !log) return;

  const MOST = 2000; // lines kept in the page
  const button = box.querySelector(".follow");
  const size = box.querySelector("[data-size]");
  const first = log.querySelector("mark"); // what was searched for is looked at, not the end
  let following = Boolean(button) && !first;
  let asking = false;
  let again = false;

  const held = () => document.hidden || document.getElementById("lamp")?.dataset.live === "held";
  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;

  function follow(on) {
    following = on;
    if (button) {
      button.setAttribute("aria-pressed", String(on));
      button.textContent = on ? "Following" : "Follow";
    }
    if (on) log.scrollTop = log.scrollHeight;
  }

  function take(lines) {
    if (!lines?.dataset.steady) return;
    if (lines.dataset.whole) log.replaceChildren();
    // The line that was still open comes again, whole or longer.
    const from = Number(log.dataset.steady);
    while (log.lastElementChild && Number(log.lastElementChild.id.slice(1)) >= from) log.lastElementChild.remove();
    const news = [...lines.children];
    if (news.length) {
      log.hidden = false;
      box.querySelector("[data-nothing]")?.remove();
    }
    log.append(...news);
    while (log.children.length > MOST) log.firstElementChild.remove();
    log.dataset.steady = lines.dataset.steady;
    log.dataset.base = lines.dataset.base;
    if (size) size.textContent = lines.dataset.bytes;
    if (following) log.scrollTop = log.scrollHeight;
    if (lines.dataset.late) setTimeout(more, 250);
  }

  async function more() {
    if (held()) return;
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const address = new URL(box.dataset.more, location.href);
      address.searchParams.set("after", log.dataset.steady);
      address.searchParams.set("base", log.dataset.base);
      const answer = await fetch(address, { headers: { Accept: "text/html", "HX-Request": "true" } });
      if (answer.ok) {
        const held = document.createElement("template");
        held.innerHTML = await answer.text();
        take(held.content.querySelector("ol"));
      }
    } catch {
      // The lamp says that the console cannot be reached; the next event asks again.
    } finally {
      asking = false;
      if (again) {
        again = false;
        more();
      }
    }
  }

  live.addEventListener("run_more", more);
  live.addEventListener("reset", more);
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => follow(!following));
    log.addEventListener("scroll", () => {
      if (following && !atEnd()) follow(false);
      else if (!following && atEnd()) follow(true);
    });
    follow(following);
  }
  if (first) log.scrollTop = first.closest("li").offsetTop - log.offsetTop - log.clientHeight / 3;
})();
