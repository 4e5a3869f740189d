// What the pages do by themselves: filter while typing, follow the folder, keep ticks. Without it they still work.
"use strict";

(() => {
  const list = () => document.getElementById("list");
  if (!list()) return;
  const filter = document.getElementById("filter");
  const ticked = new Set(new URLSearchParams(location.hash.slice(1)).getAll("run"));
  let latest = 0;

  const showTicks = () => {
    for (const box of document.querySelectorAll("#compare input[name=run]")) box.checked = ticked.has(box.value);
    const go = document.getElementById("go");
    if (!go) return;
    go.hidden = false;
    go.disabled = ticked.size < 2;
    document.getElementById("ticked").textContent =
      ticked.size === 0 ? "Tick two or more." : `${ticked.size} ticked${ticked.size < 2 ? "; tick one more" : ""}.`;
  };

  const keepTicks = () => {
    const parts = new URLSearchParams([...ticked].map((key) => ["run", key])).toString();
    history.replaceState(null, "", location.pathname + location.search + (parts ? `#${parts}` : ""));
    showTicks();
  };

  // The page of another address, without leaving this one: only the list is exchanged, so the cursor stays in its field.
  const show = async (address) => {
    const mine = ++latest;
    const answer = await fetch(address, { cache: "no-store" }).catch(() => null);
    if (!answer || !answer.ok || mine !== latest) return false;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== latest || !page.getElementById("list")) return false;
    const active = document.activeElement;
    const href = list().contains(active) && active.getAttribute("href");
    const value = list().contains(active) && active.value;
    const column = active.closest?.("th") && list().contains(active) ? active.closest("th").cellIndex : -1;
    const region = list().querySelector(".scroll");
    const [left, top] = [region?.scrollLeft ?? 0, region?.scrollTop ?? 0];
    list().replaceWith(page.getElementById("list"));
    for (const select of document.querySelectorAll("form.filter select")) {
      const fresh = page.querySelector(`form.filter select[name="${select.name}"]`);
      if (!fresh || select === active || fresh.innerHTML === select.innerHTML) continue;
      const chosen = fresh.value; // which moving its options one by one would change
      select.replaceChildren(...fresh.childNodes);
      select.value = chosen;
    }
    list().querySelector(".scroll")?.scrollTo(left, top);
    showTicks();
    const again =
      column >= 0 && active.dataset.sort !== undefined
        ? list().querySelectorAll("thead th")[column]?.querySelector("a")
        : [...list().querySelectorAll("a, input")].find(
            (one) => (href && one.getAttribute("href") === href) || (value && one.value === value));
    if (href || value) again?.focus({ preventScroll: true });
    return true;
  };

  const go = async (address) => {
    const parts = location.hash;
    if (await show(address)) history.replaceState(null, "", address + parts);
    else location.assign(address);
  };

  if (filter) {
    const wanted = () => {
      const said = new URLSearchParams();
      for (const [name, value] of new FormData(filter)) if (value) said.set(name, value);
      if (said.get("sort") === "-date") said.delete("sort");
      return `/?${said}`;
    };
    let timer = 0;
    filter.addEventListener("input", (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => go(wanted()), event.target.type === "search" ? 180 : 0);
    });
    filter.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      go(wanted());
    });
  } else {
    document.getElementById("choose")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-sort], .pages a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(link.getAttribute("href"));
  });

  document.addEventListener("change", (event) => {
    if (event.target.name !== "run") return;
    ticked[event.target.checked ? "add" : "delete"](event.target.value);
    keepTicks();
  });

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "compare") return;
    event.preventDefault();
    location.assign(`/compare?${new URLSearchParams([...ticked].map((key) => ["run", key]))}`);
  });

  let tag = null;
  const follow = async () => {
    if (!document.hidden) {
      const answer = await fetch("/state", { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" }).catch(() => null);
      if (answer?.ok) {
        const state = await answer.json();
        const current = String(state.revision) === list().dataset.revision || (await show(location.pathname + location.search));
        if (current) tag = answer.headers.get("ETag");
      }
    }
    setTimeout(follow, 2000);
  };
  showTicks();
  setTimeout(follow, list().textContent.includes("still being read") ? 500 : 2000);
})();
