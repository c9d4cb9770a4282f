// The choice of series, the buttons, and the start: a chart is built when it comes near the window.

function applySeries() {
  for (const box of document.querySelectorAll("input[data-choose]")) box.checked = !state.hidden.has(Number(box.dataset.choose));
  for (const row of document.querySelectorAll("[data-group]")) row.classList.toggle("off", state.hidden.has(Number(row.dataset.group)));
  for (const chart of live.values()) {
    chart.batch(() => chart.owners.forEach((owner, index) => {
      if (owner && owner.line.group !== null) chart.setSeries(index, { show: !state.hidden.has(owner.line.group) });
    }));
  }
}

function addChooser() {
  const rows = [...document.querySelectorAll("tr[data-group]")];
  if (rows.length < 2) return;
  for (const row of rows) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.dataset.choose = row.dataset.group;
    box.setAttribute("aria-label", "show " + row.cells[0].textContent.trim());
    box.addEventListener("change", () => {
      if (box.checked) state.hidden.delete(Number(row.dataset.group));
      else state.hidden.add(Number(row.dataset.group));
      applySeries();
      writeState();
    });
    row.cells[0].prepend(box);
  }
}

document.getElementById("tools").hidden = false;
document.getElementById("theme").addEventListener("click", () => {
  state.theme = isDark() ? "light" : "dark";
  applyTheme();
  writeState();
});
document.getElementById("unzoom").addEventListener("click", () => {
  state.zoom.clear();
  applyZoom();
  writeState();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);
addEventListener("hashchange", () => {
  Object.assign(state, readState());
  applyTheme();
  applySeries();
  applyZoom();
});
addChooser();
applyTheme();
applySeries();
document.getElementById("unzoom").hidden = state.zoom.size === 0;
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting || !entry.target.clientWidth) continue;
    watcher.unobserve(entry.target);
    build(entry.target);
  }
}, { rootMargin: "400px" });
for (const holder of document.querySelectorAll("[data-plot]")) watcher.observe(holder);
