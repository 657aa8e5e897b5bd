// Charts as inline SVG: axes, lines, areas, dots and bars over linear, logarithmic and "nines" scales, with a tooltip.
// A chart is a description; draw() makes it anew for the width there is.

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
};

const shape = (tag, attributes = {}, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

const trimmed = (number, digits) => String(Number(number.toPrecision(digits)));
const rateText = (rate) => rate >= 1e6 ? trimmed(rate / 1e6, 4) + " M" : rate >= 1e4 ? trimmed(rate / 1e3, 4) + " k" :
  trimmed(rate, 4);
const timeText = (us) => us >= 1e6 ? trimmed(us / 1e6, 4) + " s" : us >= 1e3 ? trimmed(us / 1e3, 4) + " ms" :
  trimmed(us, 4) + " µs";
const shareText = (share) => trimmed(100 * share, 4) + " %";
const wholeText = (number) => Math.round(number).toLocaleString("en-US");

// Scales: each maps a value to 0..1 and knows its ticks.
const linearScale = (low, high, text, wanted = 5) => {
  const span = high - low || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-6; i++) ticks.push(i * step);
  return { at: (v) => (v - low) / span, ticks: ticks.map((v) => ({ v, text: text(v) })) };
};
const fromZero = (values, text) => linearScale(0, 1.08 * Math.max(...values, 1e-9), text);

const logScale = (low, high, text) => {
  const a = Math.log10(Math.max(low, 1e-3)), b = Math.max(Math.log10(Math.max(high, 1e-3)), a + 0.3);
  const between = b - a > 3 ? [1] : b - a > 1.3 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
  const ticks = [];
  for (let power = Math.floor(a); power <= b; power++) {
    for (const m of between) {
      const v = m * 10 ** power;
      if (Math.log10(v) >= a - 1e-9 && Math.log10(v) <= b + 1e-9) ticks.push({ v, text: text(v) });
    }
  }
  return { at: (v) => (Math.log10(Math.max(v, 1e-3)) - a) / (b - a), ticks };
};
const logAround = (values, text) => {
  const positive = values.filter((v) => v > 0);
  return logScale(0.8 * Math.min(...positive), 1.25 * Math.max(...positive), text);
};

// 0, 90, 99, 99.9 ... per cent at equal distances.
const ninesOf = (share) => -Math.log10(1 - share);
const ninesText = (nines) => nines === 0 ? "0 %" : nines === 1 ? "90 %" :
  "99" + (nines > 2 ? "." + "9".repeat(nines - 2) : "") + " %";
const ninesScale = (most) => {
  const ticks = [];
  for (let n = 0; n <= most + 1e-9; n++) ticks.push({ v: n, text: ninesText(n) });
  return { at: (v) => v / most, ticks };
};

// A chart's plain description:
//   id, title, x: scale, y: scale, xName, height, tip(x) -> text of the tooltip's head
//   series: {name, color, points: [[x, y], ...], kind: line | area | dots | bars, dash, text(y)}
//   marks: {x or y, name, color}
const margins = { left: 64, right: 24, top: 10, bottom: 40 };

const seriesShapes = (series, px, py, base) => {
  const color = `var(--${series.color})`;
  const points = series.points.map(([x, y]) => [px(x).toFixed(1), py(y).toFixed(1)]);
  const path = "M" + points.map((point) => point.join(" ")).join("L");
  if (series.kind === "dots") {
    return points.map(([x, y]) => shape("circle", { cx: x, cy: y, r: 5, fill: color, "fill-opacity": 0.85 }));
  }
  if (series.kind === "bars") {
    return series.points.map(([from, y, to]) => shape("rect", {
      x: px(from).toFixed(1), width: Math.max(px(to) - px(from) - 1, 0.5).toFixed(1), y: py(y).toFixed(1),
      height: Math.max(base - py(y), 0).toFixed(1), fill: color, "fill-opacity": 0.75 }));
  }
  const line = shape("path", { d: path, fill: "none", stroke: color, "stroke-width": series.dash ? 1.5 : 2,
    "stroke-linejoin": "round", "stroke-dasharray": series.dash ? "6 4" : "none" });
  if (points.length === 1) return [shape("circle", { cx: points[0][0], cy: points[0][1], r: 3.5, fill: color })];
  if (series.kind !== "area") return [line];
  const area = path + `L${points.at(-1)[0]} ${base}L${points[0][0]} ${base}Z`;
  return [shape("path", { d: area, fill: color, "fill-opacity": 0.13 }), line];
};

const draw = (chart, host) => {
  const width = Math.max(host.clientWidth, 300), height = chart.height ?? 240;
  const right = width - margins.right, base = height - margins.bottom;
  const px = (v) => margins.left + chart.x.at(v) * (right - margins.left);
  const py = (v) => base - Math.min(Math.max(chart.y.at(v), 0), 1) * (base - margins.top);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": chart.title });
  for (const tick of chart.y.ticks) {
    svg.append(shape("line", { class: "grid", x1: margins.left, x2: right, y1: py(tick.v), y2: py(tick.v) }),
      shape("text", { x: margins.left - 8, y: py(tick.v) + 4, "text-anchor": "end" }, tick.text));
  }
  let free = -Infinity;  // labels that would run into each other are left out
  for (const tick of chart.x.ticks) {
    const x = px(tick.v), half = 3.4 * tick.text.length;
    if (x - half < free || x > right + 1) continue;
    free = x + half + 8;
    svg.append(shape("line", { class: "grid", x1: x, x2: x, y1: margins.top, y2: base }),
      shape("text", { x, y: base + 17, "text-anchor": "middle" }, tick.text));
  }
  svg.append(shape("line", { class: "axis", x1: margins.left, x2: right, y1: base, y2: base }),
    shape("text", { x: right, y: height - 4, "text-anchor": "end" }, chart.xName));
  for (const series of chart.series) svg.append(...seriesShapes(series, px, py, base));
  for (const mark of chart.marks ?? []) {
    const color = `var(--${mark.color})`;
    const [x1, x2, y1, y2] = mark.x === undefined ? [margins.left, right, py(mark.y), py(mark.y)] :
      [px(mark.x), px(mark.x), margins.top, base];
    const label = mark.x === undefined ? { x: right, y: y1 - 6, "text-anchor": "end" } :
      { x: x1 - 6, y: margins.top + 12, "text-anchor": "end" };
    svg.append(shape("line", { x1, x2, y1, y2, stroke: color, "stroke-width": 1.5, "stroke-dasharray": "5 4" }),
      shape("text", { ...label, style: `fill: ${color}` }, mark.name));
  }
  if (chart.tip) addTip(chart, host, svg, px, base);
  host.replaceChildren(svg);
};

// Follows the pointer: the values of all series at the nearest x.
const addTip = (chart, host, svg, px, base) => {
  const cross = shape("line", { class: "cross", y1: margins.top, y2: base, visibility: "hidden" });
  svg.append(cross);
  const tip = element("div", { class: "tip" });
  const places = [...new Set(chart.series.flatMap((series) => series.points.map((point) => point[0])))].sort((a, b) => a - b);
  if (places.length === 0) return;
  svg.addEventListener("pointermove", (event) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    const nearest = places.reduce((best, x) => Math.abs(px(x) - at) < Math.abs(px(best) - at) ? x : best);
    const lines = chart.series.flatMap((series) => {
      const before = series.points.filter((point) => point[0] <= nearest).at(-1);
      const value = chart.stays ? before : series.points.find((point) => point[0] === nearest);
      return value ? [element("div", {}, `${series.name} `, element("b", {}, series.text(value[1])))] : [];
    });
    tip.replaceChildren(element("div", {}, chart.tip(nearest)), ...lines);
    cross.setAttribute("x1", px(nearest));
    cross.setAttribute("x2", px(nearest));
    cross.setAttribute("visibility", "visible");
    host.append(tip);
    const left = px(nearest) + 14 + tip.offsetWidth > host.clientWidth ? px(nearest) - tip.offsetWidth : px(nearest) + 26;
    tip.style.left = `${left}px`;
    tip.style.top = "56px";
    tip.style.opacity = 1;
  });
  svg.addEventListener("pointerleave", () => {
    cross.setAttribute("visibility", "hidden");
    tip.style.opacity = 0;
  });
};

const figure = (chart) => {
  const legend = chart.series.concat(chart.extraLegend ?? []).map((series) => element("span", {},
    element("i", { class: series.dash ? "dash" : series.kind === "dots" ? "dot" : "",
      style: (series.kind === "dots" ? "background:" : "border-color:") + `var(--${series.color})` }), series.name));
  const host = element("div");
  const made = element("figure", { id: chart.id, class: chart.wide ? "wide" : null },
    element("figcaption", {}, element("span", {}, chart.title),
      legend.length > 1 || chart.showsLegend ? element("span", { class: "legend" }, legend) : null), host);
  made.redraw = () => draw(chart, host);
  return made;
};

// Needs the place on the page, for the width: so after a figure is there, and whenever that changes.
const redrawAll = () => {
  for (const made of document.querySelectorAll("figure")) made.redraw?.();
};
window.addEventListener("resize", redrawAll);
