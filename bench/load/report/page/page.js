// The page: one result, its phases to choose from, charts and tables of the chosen one, both ends' configuration.

const result = JSON.parse(document.getElementById("result").textContent);
const page = document.getElementById("page");
const phaseName = (phase) => phase.verdict ? `trial ${phase.round}` : `${phase.mode} ${phase.round}`;

const choose = (phase) => { location.hash = phase; };

const seriesOver = (timeline, name, color, value, text, more = {}) => ({ name, color, text, ...more,
  points: timeline.map((point) => [point.begin_s + point.length_s / 2, value(point)]) });
const timeScale = (phase) => linearScale(0, Math.max(phase.seconds, ...phase.timeline.map((p) => p.begin_s + p.length_s)),
  (v) => trimmed(v, 4), 8);
const overTime = (phase) => ({ x: timeScale(phase), xName: "seconds since the window opened",
  tip: (x) => `${trimmed(x, 4)} s` });

const throughputChart = (phase) => {
  const series = [seriesOver(phase.timeline, "answered", "blue", (p) => p.requests_per_s, (v) => rateText(v) + "/s", { kind: "area" })];
  if (phase.pace) {
    series.push({ name: "due", color: "slate", dash: true, text: (v) => rateText(v) + "/s",
      points: phase.timeline.map((p) => [p.begin_s + p.length_s / 2, phase.pace.rate_per_s]) });
  }
  return { id: "throughput", title: "Requests/s", ...overTime(phase), series,
    y: fromZero(series.flatMap((s) => s.points.map((p) => p[1])), rateText) };
};

const latencyChart = (phase) => {
  const timeline = phase.timeline.filter((p) => p.requests > 0);
  const series = [["max", "slate", "max_us", true], ["p99.9", "rose", "p999_us"], ["p99", "amber", "p99_us"], ["p50", "blue", "p50_us"]]
    .map(([name, color, member, dash]) => seriesOver(timeline, name, color, (p) => p[member], timeText, { dash }));
  return { id: "latency", title: "Latency", ...overTime(phase), series,
    y: logAround(timeline.flatMap((p) => [p.p50_us, p.max_us]), timeText) };
};

const hitChart = (phase) => {
  const timeline = phase.timeline.filter((p) => p.keys_asked > 0);
  const series = [seriesOver(timeline, "hit ratio", "teal", (p) => p.hits / p.keys_asked, shareText, { kind: "area" })];
  return { id: "hits", title: "Hit ratio", height: 150, wide: true, ...overTime(phase), series, y: linearScale(0, 1, shareText, 4) };
};

// Where the cumulated share of a histogram passes each bucket, in nines; the last point is the maximum.
const percentileCurve = (histogram) => {
  const points = [];
  let seen = 0;
  for (const [lowest, count] of histogram.buckets) {
    points.push([ninesOf(seen / histogram.count), Math.max(lowest, histogram.min_ns) / 1e3]);
    seen += count;
  }
  points.push([ninesOf(1 - 0.5 / histogram.count), histogram.max_ns / 1e3]);
  return points;
};

const operationColors = ["blue", "amber", "rose", "teal", "violet", "slate"];
const percentileChart = (phase) => {
  const asked = Object.entries(phase.operations).filter(([, one]) => one.latency_histogram.count > 0);
  const all = { name: "all", color: "blue", text: timeText, points: percentileCurve(phase.latency_histogram) };
  const series = asked.length < 2 ? [{ ...all, name: asked.length ? asked[0][0] : "all" }] :
    asked.map(([name, one], i) => ({ name, color: operationColors[i % operationColors.length], text: timeText,
      points: percentileCurve(one.latency_histogram) }));
  if (phase.pace && phase.pace.generator_late_histogram.count > 0) {
    series.push({ name: "of it: the generator left late", color: "slate", dash: true, text: timeText,
      points: percentileCurve(phase.pace.generator_late_histogram) });
  }
  const most = Math.max(2, ninesOf(1 - 0.5 / phase.latency_histogram.count));
  const values = all.points.map((point) => point[1]);
  return { id: "percentiles", title: "Latency by percentile", x: ninesScale(most), y: logAround(values, timeText),
    xName: "share of requests that were at least as fast", series, stays: true, showsLegend: true,
    tip: (x) => `${trimmed(100 * (1 - 10 ** -x), Math.max(3, Math.floor(x) + 2))} %` };
};

const distributionChart = (phase) => {
  // Eight bars to a doubling: wide enough to be seen.
  const bars = new Map();
  for (const [lowest, count] of phase.latency_histogram.buckets) {
    const at = Math.floor(8 * Math.log2(Math.max(lowest, 1)));
    bars.set(at, (bars.get(at) ?? 0) + count);
  }
  const edge = (at) => 2 ** (at / 8) / 1e3;
  const points = [...bars].sort((a, b) => a[0] - b[0]).map(([at, count]) => [edge(at), count, edge(at + 1)]);
  return { id: "distribution", title: "How many requests took how long", xName: "latency",
    x: logScale(points[0][0], points.at(-1)[2], timeText), y: fromZero(points.map((p) => p[1]), rateText),
    series: [{ name: "requests", color: "violet", kind: "bars", points, text: wholeText }], tip: (x) => `from ${timeText(x)}` };
};

const workersFigure = (phase) => {
  const most = Math.max(...phase.workers.map((w) => w.requests_per_s), 1e-9);
  const rows = phase.workers.map((worker, i) => element("tr", {}, cells([
    worker.host ? `${worker.host} ${i}` : String(i),
    element("div", { class: "bar" }, element("i", { style: `width: ${(100 * worker.requests_per_s / most).toFixed(1)}%` })),
    rateText(worker.requests_per_s), timeText(worker.p50_us), timeText(worker.p99_us), shareText(worker.core_share),
    shareText(worker.waited_share)])));
  return element("figure", { id: "workers", class: "wide" }, element("figcaption", {}, "Load threads"),
    bareTable(["thread", "", "requests/s", "p50", "p99", "on its core", "waiting for it"], rows));
};

const kneeChart = () => {
  const trials = result.phases.filter((phase) => phase.verdict);
  const points = (passed) => trials.filter((t) => (t.verdict === "passed") === passed)
    .map((t) => [t.pace.rate_per_s, t.latency_us.p99]).sort((a, b) => a[0] - b[0]);
  const rates = trials.map((t) => t.pace.rate_per_s), bound = result.knee.p99_max_us;
  const marks = [{ y: bound, name: `bound ${timeText(bound)}`, color: "slate" }];
  if (result.knee.requests_per_s > 0) {
    marks.push({ x: result.knee.requests_per_s, name: `knee ${rateText(result.knee.requests_per_s)}/s`, color: "teal" });
  }
  return { id: "knee", title: "The search for the knee: p99 of each trial", wide: true, marks,
    x: linearScale(0, 1.08 * Math.max(...rates), rateText, 8), xName: "requests due a second",
    y: logAround([bound, ...trials.map((t) => t.latency_us.p99)], timeText), tip: (x) => `${rateText(x)}/s`,
    series: [{ name: "passed", color: "good", kind: "dots", points: points(true), text: timeText },
      { name: "failed", color: "bad", kind: "dots", points: points(false), text: timeText }] };
};

const tile = (name, text, beside = "") => {
  const [, number, unit] = text.match(/^([^ ]+) ?(.*)$/);
  return element("div", { class: "tile" }, element("div", { class: "name" }, name),
    element("div", { class: "figure" }, number, unit ? element("small", {}, ` ${unit}`) : null),
    element("div", { class: "beside" }, beside));
};

const tilesOf = (phase) => {
  const latency = phase.latency_us;
  const due = phase.pace ? `of ${rateText(phase.pace.rate_per_s)} due, ${phase.pace.arrivals}` : "closed loop";
  return element("div", { class: "tiles" },
    tile("Requests/s", rateText(phase.requests_per_s), due),
    tile("Median", timeText(latency.p50), `mean ${timeText(latency.mean)}`),
    tile("p99", timeText(latency.p99), `p90 ${timeText(latency.p90)}`),
    tile("p99.9", timeText(latency.p999), `p99.99 ${timeText(latency.p9999)}`),
    tile("Maximum", timeText(latency.max), `of ${wholeText(phase.requests)} requests`),
    phase.keys_asked > 0 ? tile("Hit ratio", shareText(phase.hit_ratio), `${wholeText(phase.misses)} misses`) : null,
    phase.pace ? tile("Left late by", timeText(phase.pace.generator_late_us.p99), "the generator, p99") : null);
};

const bareTable = (heads, rows, id) => element("table", { id },
  element("thead", {}, element("tr", {}, heads.map((head) => element("th", {}, head)))), element("tbody", {}, rows));
const table = (id, heads, rows) => element("div", { class: "scroll" }, bareTable(heads, rows, id));
const cells = (values) => values.map((value) => value instanceof Node ? element("td", {}, value) : element("td", {}, String(value)));

const operationsTable = (phase) => table("operations",
  ["operation", "requests", "done", "refused", "missed", "mean", "p50", "p90", "p99", "p99.9", "max"],
  Object.entries(phase.operations).map(([name, one]) => element("tr", {}, cells([name, wholeText(one.requests),
    wholeText(one.done), wholeText(one.refused), wholeText(one.missed), ...["mean", "p50", "p90", "p99", "p999", "max"]
      .map((p) => timeText(one.latency_us[p]))]))));

const phasesTable = (chosen) => table("phases",
  ["phase", "seconds", "due/s", "requests/s", "hits", "p50", "p99", "p99.9", "max", "generator's core", ""],
  result.phases.map((phase, i) => element("tr", { class: i === chosen ? "chosen can" : "can", onclick: () => choose(i) },
    cells([phaseName(phase), trimmed(phase.seconds, 4), phase.pace ? rateText(phase.pace.rate_per_s) : "–",
      rateText(phase.requests_per_s), phase.keys_asked > 0 ? shareText(phase.hit_ratio) : "–",
      ...["p50", "p99", "p999", "max"].map((p) => timeText(phase.latency_us[p])), shareText(phase.generator_core_share),
      element("span", { class: phase.verdict === "passed" ? "pass" : phase.verdict || !phase.complete ? "fail" : "" },
        phase.verdict ?? (phase.complete ? "" : "not complete"))]))));

const plainText = (value) => value === null ? "–" : Array.isArray(value) ? value.join(", ") || "any" : String(value);
const endTable = (title, id, members) => element("div", { class: "scroll" }, element("h3", {}, title),
  element("table", { id }, element("tbody", {}, Object.entries(members).map(([name, value]) =>
    element("tr", {}, element("td", {}, name), element("td", {}, plainText(value)))))));

const bothEnds = () => {
  const { settings, ...server } = result.server;
  return element("div", { class: "ends" },
    element("div", { class: "ends" }, endTable("Workload", "workload", result.workload),
      result.generators.map((generator, i) => endTable(result.generators.length > 1 ? `Generator ${i + 1}` : "Generator",
        `generator-${i}`, generator))),
    endTable("Server", "server", { ...server, ...settings }));
};

const said = (text, kind = "") => text ? element("p", { class: `say ${kind}` }, text) : null;

const failuresSaid = () => {
  const { total, first, ...kinds } = result.failures;
  const counts = Object.entries(kinds).filter(([, count]) => count > 0).map(([name, count]) => `${wholeText(count)} ${name.replace("_", " ")}`);
  return total > 0 ? said(`Failures: ${counts.join(", ")}. The first: ${first}`, "bad") : null;
};

const header = () => {
  const started = new Date(result.started_unix_ms).toISOString().replace("T", " ").slice(0, 19) + " UTC";
  return [element("h1", {}, "Load report"),
    element("p", { class: "about" }, element("b", {}, result.server.address), result.server.version ? ` (${result.server.version})` : "",
      ` from ${result.generators.map((g) => g.host).join(", ")}, ${started}`),
    element("p", { class: "about" }, Object.entries(result.workload).map(([name, words]) => `${name} ${words}`).join(" · "))];
};

const show = (chosen) => {
  const phase = result.phases[chosen];
  const pickers = result.phases.length < 2 ? null : element("nav", { class: "phases" }, result.phases.map((other, i) =>
    element("button", { type: "button", "aria-pressed": String(i === chosen), onclick: () => choose(i) }, phaseName(other))));
  const hasTime = phase.timeline.filter((p) => p.requests > 0).length > 1, hasLatency = phase.latency_histogram.count > 0;
  const charts = [hasTime ? throughputChart(phase) : null, hasTime ? latencyChart(phase) : null,
    hasLatency ? percentileChart(phase) : null, hasLatency ? distributionChart(phase) : null,
    hasTime && phase.keys_asked > 0 ? hitChart(phase) : null].filter((chart) => chart !== null);
  page.replaceChildren(...[header(), result.interrupted ? said("Interrupted: the figures are of the time until then.") : null,
    failuresSaid(), result.notes.map((note) => said(note)), result.knee ? said(result.knee.summary, "knee") : null,
    result.knee ? element("div", { class: "charts" }, figure(kneeChart())) : null,
    pickers, tilesOf(phase), said(phase.summary),
    element("div", { class: "charts" }, charts.map(figure), workersFigure(phase)),
    phase.requests === 0 ? element("p", { class: "none" }, "Nothing was answered in this phase.") : null,
    element("h2", {}, "Operations"), operationsTable(phase), element("h2", {}, "Phases"), phasesTable(chosen),
    element("h2", {}, "Both ends"), bothEnds(),
    element("footer", {}, `Made by millrace-load ${result.generators[0].version}. The whole result is in this file, as JSON in the element "result".`)]
    .flat().filter((part) => part !== null));
  redrawAll();
};

// The last phase first: what came before it usually made ready. Of a search, a trial at its knee.
const atKnee = result.phases.findLastIndex((phase) => phase.verdict === "passed" &&
  Math.abs(phase.pace.rate_per_s - result.knee?.requests_per_s) < 1);
const first = atKnee >= 0 ? atKnee : result.phases.length - 1;
// A phase has an address: report.html#0.
const addressed = () => Number(location.hash.slice(1) || first);
const showAddressed = () => show(addressed() in result.phases ? addressed() : first);
window.addEventListener("hashchange", showAddressed);
showAddressed();
document.documentElement.dataset.state = "ready";
