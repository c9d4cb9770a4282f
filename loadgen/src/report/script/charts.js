// Charts with zoom and hover in the place of their static pictures. Text of results enters as text, never as markup.

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
      ctx.textAlign = "right";
      ctx.fillText(name, bbox.left + bbox.width - 2 * pixel, position - 5 * pixel);
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
    size: 32,
    gap: 8,
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
  chart.told = data;
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
  for (const chart of live.values()) {
    const [min, max] = state.zoom.get(zoomKey(chart.told)) || [chart.told.xAxis.low, chart.told.xAxis.high];
    chart.setScale("x", { min, max });
  }
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
