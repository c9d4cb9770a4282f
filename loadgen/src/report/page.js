// Zoom, hover, theme and choice of series on top of the static pictures. The state lies in the address, so that a
// link shows what its sender saw. Text of results enters the page as text only, never as markup.
"use strict";
(() => {
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const root = document.documentElement;
  const live = new Map();
  const state = readState();
  let spreading = false;

  // --- state -------------------------------------------------------------------------------------------------------

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

  // --- theme -------------------------------------------------------------------------------------------------------

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

  // --- figures -----------------------------------------------------------------------------------------------------

  function digits(value) {
    const size = Math.abs(value);
    if (size >= 99.95) return Math.round(value).toLocaleString("en-US");
    return value.toFixed(size >= 9.995 ? 1 : size >= 0.995 ? 2 : size === 0 ? 0 : 3);
  }

  function duration(us) {
    if (us < 0.9995) return Math.round(us * 1e3) + " ns";
    if (us < 999.5) return digits(us) + " µs";
    return us < 999.5e3 ? digits(us / 1e3) + " ms" : digits(us / 1e6) + " s";
  }

  const tidy = (value) => String(+value.toPrecision(6));
  const reading = (data, value) => (data.duration ? duration(value) : `${digits(value)} ${data.yAxis.label}`);

  function xReading(data, value) {
    const named = data.xAxis.ticks.find(([at]) => at === value);
    if (data.time) return `${tidy(value)} s`;
    if (data.xAxis.kind === "named") return named ? named[1] : "";
    if (data.xAxis.kind === "nines") return named ? named[1] : `${+(100 - 100 * 10 ** -value).toPrecision(2 + Math.max(2, value + 1))} %`;
    return `${digits(value)} ${data.xAxis.label}`;
  }

  function roundTicks(low, high) {
    const rough = (high - low) / 5;
    const decade = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((factor) => factor * decade).find((size) => size >= rough * 0.999);
    const ticks = [];
    for (let index = Math.ceil(low / step); index * step <= high; index++) ticks.push(index * step);
    return ticks;
  }

  // --- charts ------------------------------------------------------------------------------------------------------

  const DASHES = [[], [7, 4], [2, 4], [9, 3, 2, 3]];
  const zoomKey = (data) => (data.time ? "time" : data.id);

  function seriesOf(line) {
    const dotted = line.style === "dotted" || line.style === "dots";
    return {
      label: line.name,
      show: line.group === null || !state.hidden.has(line.group),
      stroke: () => ink(line.colour),
      width: line.style === "thin" ? 1.3 : 2,
      dash: DASHES[line.dash],
      paths: line.style === "dots" ? () => null : undefined,
      points: {
        show: dotted,
        size: 7,
        stroke: () => ink(line.colour),
        fill: () => ink(line.colour),
        // A value between two gaps would be an invisible line.
        filter: (chart, index, show) => (show ? null : lonely(chart.data[index])),
      },
    };
  }

  function lonely(column) {
    const found = [];
    column.forEach((value, at) => {
      if (value != null && column[at - 1] === null && (at + 1 >= column.length || column[at + 1] === null)) found.push(at);
    });
    return found.length ? found : null;
  }

  function columnsOf(data) {
    const known = (column) => column.map((value) => (value === false ? undefined : value));
    const columns = [data.x];
    const series = [{}];
    const bands = [];
    const owners = [null];
    for (const line of data.lines) {
      if (line.low) {
        const edge = { ...seriesOf(line), stroke: "transparent", width: 0, points: { show: false } };
        columns.push(known(line.high), known(line.low));
        series.push(edge, { ...edge });
        owners.push({ line, edge: true }, { line, edge: true });
        bands.push({ series: [series.length - 2, series.length - 1], fill: () => faded(line.colour, 0.18) });
      }
      columns.push(known(line.y));
      series.push(seriesOf(line));
      owners.push({ line, edge: false });
    }
    return { columns, series, bands, owners };
  }

  function drawBehind(chart, data) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [from, to, , isFault] of data.spans) {
      const left = chart.valToPos(from, "x", true);
      ctx.fillStyle = colour(isFault ? "fault" : "band");
      ctx.fillRect(left, bbox.top, Math.max(1, chart.valToPos(to, "x", true) - left), bbox.height);
    }
    ctx.strokeStyle = colour("soft");
    ctx.setLineDash([4, 4]);
    for (const [axis, at] of data.rules) {
      const position = chart.valToPos(at, axis, true);
      ctx.beginPath();
      ctx.moveTo(axis === "x" ? position : bbox.left, axis === "x" ? bbox.top : position);
      ctx.lineTo(axis === "x" ? position : bbox.left + bbox.width, axis === "x" ? bbox.top + bbox.height : position);
      ctx.stroke();
    }
    ctx.restore();
  }

  function drawBefore(chart, data) {
    const { ctx, bbox } = chart;
    const pixel = uPlot.pxRatio;
    ctx.save();
    ctx.font = `${12 * pixel}px system-ui, sans-serif`;
    ctx.fillStyle = colour("soft");
    ctx.textAlign = "left";
    ctx.fillText(data.yAxis.label, 4 * pixel, 12 * pixel);
    for (const [from, , name] of data.spans) {
      const left = chart.valToPos(from, "x", true);
      if (left >= bbox.left - 1 && left <= bbox.left + bbox.width) ctx.fillText(name, left + 2 * pixel, bbox.top - 5 * pixel);
    }
    for (const [axis, at, name] of data.rules) {
      const position = chart.valToPos(at, axis, true);
      if (axis === "y") {
        ctx.textAlign = "left";
        ctx.fillText(name, bbox.left + 4 * pixel, position - 5 * pixel);
      } else if (position >= bbox.left && position <= bbox.left + bbox.width) {
        const isRight = position > bbox.left + bbox.width / 2;
        ctx.textAlign = isRight ? "right" : "left";
        ctx.fillText(name, position + (isRight ? -4 : 4) * pixel, bbox.top + 12 * pixel);
      }
    }
    ctx.beginPath();
    ctx.rect(bbox.left - 6, bbox.top - 6, bbox.width + 12, bbox.height + 12);
    ctx.clip();
    for (const mark of data.marks) {
      if (mark.group !== null && state.hidden.has(mark.group)) continue;
      const at = [chart.valToPos(mark.at[0], "x", true), chart.valToPos(mark.at[1], "y", true)];
      if (mark.from) {
        ctx.strokeStyle = colour("soft");
        ctx.setLineDash([pixel, 5 * pixel]);
        ctx.beginPath();
        ctx.moveTo(chart.valToPos(mark.from[0], "x", true), chart.valToPos(mark.from[1], "y", true));
        ctx.lineTo(at[0], at[1]);
        ctx.stroke();
        ctx.setLineDash([]);
      }
      ctx.strokeStyle = ink(mark.colour);
      ctx.fillStyle = colour("card");
      ctx.lineWidth = 2 * pixel;
      ctx.beginPath();
      ctx.arc(at[0], at[1], 4 * pixel, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }

  function axesOf(data) {
    const look = { stroke: () => colour("soft"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const label = (axis, value, fallback) => {
      const named = axis.ticks.find(([at]) => Math.abs(at - value) <= Math.abs(value) * 1e-9);
      return named ? named[1] : fallback;
    };
    const x = {
      ...look,
      label: data.xAxis.label,
      labelFont: "12px system-ui, sans-serif",
      labelSize: 18,
      size: 30,
      splits: (chart, index, low, high) => {
        const ticks = data.xAxis.ticks.map(([at]) => at).filter((at) => at >= low && at <= high);
        const enough = ticks.length >= 3 || data.xAxis.kind === "named" || !state.zoom.has(zoomKey(data));
        return enough ? ticks : roundTicks(low, high);
      },
      values: (chart, ticks) => sparse(chart, ticks).map((at) => (at === null ? "" : label(data.xAxis, at, data.xAxis.kind === "nines" ? xReading(data, at) : tidy(at)))),
    };
    const y = {
      ...look,
      size: 64,
      splits: () => data.yAxis.ticks.map(([at]) => at),
      filter: (chart, ticks) => ticks,
      values: (chart, ticks) => ticks.map((at) => label(data.yAxis, at, tidy(at))),
    };
    return [x, y];
  }

  // Labels that would touch their neighbours are left out.
  function sparse(chart, ticks) {
    const wide = Math.max(1, ...ticks.map((at) => String(tidy(at)).length)) > 5 ? 76 : 52;
    let last = -Infinity;
    return ticks.map((at) => {
      const position = chart.valToPos(at, "x");
      if (position - last < wide) return null;
      last = position;
      return at;
    });
  }

  function build(holder) {
    const data = plots[Number(holder.dataset.plot)];
    const { columns, series, bands, owners } = columnsOf(data);
    const full = [data.xAxis.low, data.xAxis.high];
    const height = () => Math.min(data.height, Math.max(230, holder.clientWidth * 0.62));
    const chart = new uPlot({
      width: holder.clientWidth,
      height: height(),
      padding: [40, 18, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: () => state.zoom.get(zoomKey(data)) || full },
        y: { distr: data.yAxis.log ? 3 : 1, range: () => [data.yAxis.low, data.yAxis.high] },
      },
      axes: axesOf(data),
      series,
      bands,
      cursor: {
        y: false,
        drag: { x: data.xAxis.kind !== "named", y: false, setScale: false },
        sync: data.time ? { key: "time", scales: ["x", null], filters: { pub: isMove, sub: isMove } } : undefined,
        bind: { dblclick: () => () => zoomTo(data, null) },
      },
      hooks: {
        drawClear: [(chart) => drawBehind(chart, data)],
        draw: [(chart) => drawBefore(chart, data)],
        setCursor: [(chart) => showTip(chart, data, owners)],
        setSelect: [(chart) => select(chart, data)],
      },
    }, columns, holder);
    chart.tip = document.createElement("div");
    chart.tip.className = "tip";
    chart.tip.hidden = true;
    chart.over.append(chart.tip);
    chart.over.addEventListener("mouseenter", () => (chart.isHovered = true));
    chart.over.addEventListener("mouseleave", () => ((chart.isHovered = false), (chart.tip.hidden = true)));
    chart.data_ = data;
    chart.owners = owners;
    holder.classList.add("live");
    live.set(holder, chart);
    new ResizeObserver(() => {
      if (holder.clientWidth) chart.setSize({ width: holder.clientWidth, height: height() });
    }).observe(holder);
  }

  const isMove = (kind) => kind === "mousemove" || kind === "mouseleave";

  function select(chart, data) {
    if (chart.select.width < 8) return;
    const from = chart.posToVal(chart.select.left, "x");
    const to = chart.posToVal(chart.select.left + chart.select.width, "x");
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    zoomTo(data, [from, to]);
  }

  function zoomTo(data, ends) {
    if (ends) state.zoom.set(zoomKey(data), ends);
    else state.zoom.delete(zoomKey(data));
    applyZoom();
    writeState();
  }

  function applyZoom() {
    if (spreading) return;
    spreading = true;
    for (const chart of live.values()) {
      const [min, max] = state.zoom.get(zoomKey(chart.data_)) || [chart.data_.xAxis.low, chart.data_.xAxis.high];
      chart.setScale("x", { min, max });
    }
    spreading = false;
  }

  function showTip(chart, data, owners) {
    const { idx, left, top } = chart.cursor;
    if (!chart.isHovered || idx == null || left < 0) {
      if (chart.tip) chart.tip.hidden = true;
      return;
    }
    const found = [];
    owners.forEach((owner, index) => {
      const value = chart.data[index][idx];
      if (!owner || owner.edge || value == null || !chart.series[index].show) return;
      found.push({ line: owner.line, value, away: Math.abs(chart.valToPos(value, "y") - top) });
    });
    found.sort((a, b) => a.away - b.away);
    found.length = Math.min(found.length, 10);
    found.sort((a, b) => b.value - a.value);
    const rows = found.map(({ line, value }) => {
      const row = document.createElement("div");
      const mark = document.createElement("i");
      mark.style.background = ink(line.colour);
      const name = document.createElement("span");
      name.textContent = line.repeat ? `${line.name} #${line.repeat}` : line.name;
      const text = document.createElement("b");
      text.textContent = reading(data, value);
      row.append(mark, name, text);
      return row;
    });
    const heading = document.createElement("div");
    heading.className = "at";
    heading.textContent = xReading(data, chart.data[0][idx]);
    chart.tip.replaceChildren(heading, ...rows);
    chart.tip.hidden = found.length === 0;
    const wide = chart.tip.offsetWidth;
    const room = chart.over.clientWidth;
    const beside = left + 14 + wide <= room ? left + 14 : left - 14 - wide;
    chart.tip.style.left = Math.max(-40, Math.min(beside, room - wide)) + "px";
    chart.tip.style.top = Math.max(0, Math.min(top - 10, chart.over.clientHeight - chart.tip.offsetHeight)) + "px";
  }

  // --- series ------------------------------------------------------------------------------------------------------

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

  // --- start -------------------------------------------------------------------------------------------------------

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
})();
