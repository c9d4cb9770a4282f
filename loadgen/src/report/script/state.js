// The state of the page lies in its address, so that a link shows what its sender saw: theme, hidden series, zoom.
"use strict";

const plots = JSON.parse(document.getElementById("plots").textContent);
const root = document.documentElement;
const live = new Map();
const state = readState();

function readState() {
  const given = new URLSearchParams(location.hash.slice(1));
  const zoom = new Map();
  for (const [key, value] of given) {
    const ends = value.split("~").map(Number);
    if (key.startsWith("zoom.") && ends.length === 2 && ends[0] < ends[1]) zoom.set(key.slice(5), ends);
  }
  const hidden = (given.get("hide") || "").split(",").filter((text) => /^\d+$/.test(text)).map(Number);
  const theme = ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : null;
  return { theme, hidden: new Set(hidden), zoom };
}

function writeState() {
  const parts = [];
  if (state.theme) parts.push("theme=" + state.theme);
  if (state.hidden.size) parts.push("hide=" + [...state.hidden].sort((a, b) => a - b).join(","));
  for (const [key, [from, to]] of state.zoom) parts.push(`zoom.${key}=${+from.toPrecision(6)}~${+to.toPrecision(6)}`);
  history.replaceState(null, "", parts.length ? "#" + parts.join("&") : location.pathname + location.search);
  document.getElementById("unzoom").hidden = state.zoom.size === 0;
}

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
const colours = new Map();

function colour(name) {
  if (!colours.has(name)) {
    probe.style.color = `var(--${name})`;
    colours.set(name, getComputedStyle(probe).color);
  }
  return colours.get(name);
}

const ink = (index) => colour("c" + index);
const faded = (index, share) => ink(index).replace("rgb(", "rgba(").replace(")", `, ${share})`);

function isDark() {
  return state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function applyTheme() {
  if (state.theme) root.dataset.theme = state.theme;
  else delete root.dataset.theme;
  document.getElementById("theme").textContent = isDark() ? "Light theme" : "Dark theme";
  colours.clear();
  for (const chart of live.values()) chart.redraw(false, true);
}
