// Figures as the static page writes them.

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
