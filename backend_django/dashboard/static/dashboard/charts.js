// Draws what the page describes: finds every figure with data-chart, reads its JSON, gives it the theme's colours.
"use strict";
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const palette = () => ({
    ink: css("--ink"), muted: css("--muted"), line: css("--line"), card: css("--card"),
    actual: css("--ink"), forecast: css("--accent"), before: css("--warm"),
    band_80: css("--band-80"), band_95: css("--band-95"),
    many: [1, 2, 3, 4, 5, 6].map((i) => css(`--series-${i}`)),
  });
  const locale = document.documentElement.lang || "es";
  // Decimal and thousands sign as the figures of the page have them, and days before months where one says so.
  const separators = locale.startsWith("es") ? ",\u00a0" : ".,";
  const days = locale.startsWith("en") ? [] : [
    { dtickrange: [null, "M1"], value: "%-d %b\n%Y" }, { dtickrange: ["M1", null], value: "%b\n%Y" }];

  const band = (one, colour) => {
    const x = [...one.x, ...[...one.x].reverse()];
    return { type: "scatter", mode: "lines", x, y: [...one.high, ...[...one.low].reverse()], name: one.name,
             fill: "toself", fillcolor: colour, line: { width: 0 }, hoverinfo: "skip" };
  };
  const line = (one, colours, spec) => ({
    type: "scatter", mode: one.x.length < 2 ? "markers" : spec.dots ? "lines+markers" : "lines", x: one.x, y: one.y, name: one.name,
    line: { color: colours[one.role] || colours.ink, width: one.role === "actual" ? 1.6 : 2,
            dash: one.role === "before" ? "dot" : "solid" },
    hovertemplate: `%{y:,.${spec.digits || 0}f}<extra>%{fullData.name}</extra>`,
  });

  // Whole units on an axis of two or three: else the marks between them are rounded to the same figures.
  const few = (spec) => spec.unit === "units" && spec.series.every((one) => (one.high || one.y).every((y) => y < 5));

  const kinds = {
    time: (spec, colours) => ({
      traces: spec.series.map((one) => one.role.startsWith("band") ? band(one, colours[one.role]) : line(one, colours, spec)),
      layout: {
        shapes: spec.marks.map((m) => ({ type: "line", x0: m.date, x1: m.date, yref: "paper", y0: 0, y1: 1,
                                         line: { color: colours.muted, width: 1, dash: "dot" } })),
        annotations: spec.marks.slice(0, 12).map((m) => ({ x: m.date, yref: "paper", y: 1, text: m.name, showarrow: false,
                                                           textangle: -90, xanchor: "right", yanchor: "top",
                                                           font: { size: 10, color: colours.muted } })),
        hovermode: "x unified",
        xaxis: spec.x_type ? { type: spec.x_type } : { tickformatstops: days },
        ...(spec.unit === "%" ? { yaxis: { ticksuffix: " %" } } : few(spec) ? { yaxis: { dtick: 1 } } : {}),
      },
    }),
    bars: (spec, colours) => ({
      traces: spec.series.map((one, i) => ({ type: "bar", orientation: one.horizontal ? "h" : "v", x: one.x, y: one.y,
        name: one.name, marker: { color: one.role ? colours[one.role] : colours.many[i % 6] } })),
      layout: { barmode: spec.stacked ? "stack" : "group" },
    }),
    points: (spec, colours) => ({
      traces: spec.series.map((one, i) => ({ type: "scatter", mode: "markers", x: one.x, y: one.y, text: one.text,
        name: one.name, marker: { size: one.size || 6, opacity: 0.7, color: colours.many[i % 6] },
        hovertemplate: "%{text}<extra>%{fullData.name}</extra>" })),
      layout: { xaxis: { title: { text: spec.x_title }, type: spec.x_type || "-" },
                yaxis: { title: { text: spec.y_title }, type: spec.y_type || "-" } },
    }),
    treemap: (spec, colours) => ({
      traces: [{ type: "treemap", labels: spec.labels, parents: spec.labels.map(() => ""), values: spec.values,
                 text: spec.text, textinfo: "label+text", hoverinfo: "label+text",
                 marker: { colors: spec.labels.map((_, i) => colours.many[i % 6]) } }],
      layout: {},
    }),
  };

  const draw = (figure) => {
    const target = document.getElementById(figure.dataset.chart);
    const spec = JSON.parse(document.getElementById(`${figure.dataset.chart}-data`).textContent);
    const colours = palette();
    const { traces, layout } = kinds[spec.kind](spec, colours);
    const narrow = target.clientWidth < 520;
    const axis = { gridcolor: colours.line, zerolinecolor: colours.line, linecolor: colours.line, automargin: true };
    const whole = {
      ...layout,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", separators,
      font: { family: getComputedStyle(document.body).fontFamily, color: colours.ink, size: 12 },
      margin: { l: 8, r: 8, t: 8, b: 8 }, height: figure.classList.contains("small") ? 220 : narrow ? 280 : 360,
      xaxis: { ...axis, showgrid: false, ...(layout.xaxis || {}) },
      yaxis: { ...axis, rangemode: "tozero", tickformat: ",.0f", ...(layout.yaxis || {}) },
      legend: { orientation: "h", y: spec.x_title ? -0.35 : -0.15, x: 0 }, showlegend: traces.length > 1,
      hoverlabel: { bgcolor: colours.card, bordercolor: colours.line, font: { color: colours.ink } },
    };
    target.replaceChildren();
    Plotly.newPlot(target, traces, whole, { responsive: true, displayModeBar: false, locale });
  };

  // Names of days and months as the browser knows them.
  const names = (options, count, first) => Array.from({ length: count }, (_, i) =>
    new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).format(first(i)));
  const week = (i) => Date.UTC(2023, 0, 1 + i), year = (i) => Date.UTC(2023, i, 1);
  if (!locale.startsWith("en")) Plotly.register({ moduleType: "locale", name: locale, dictionary: {}, format: {
    days: names({ weekday: "long" }, 7, week), shortDays: names({ weekday: "short" }, 7, week),
    months: names({ month: "long" }, 12, year), shortMonths: names({ month: "short" }, 12, year), date: "%d/%m/%Y" } });

  const all = () => document.querySelectorAll("figure[data-chart]").forEach(draw);
  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("htmx:afterSwap", (event) => event.target.querySelectorAll?.("figure[data-chart]").forEach(draw));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
})();
