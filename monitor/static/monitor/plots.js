// Draws <figure class="plot" data-plot="KIND" data-src="ADDRESS"><div class="canvas"></div></figure>.
// Kinds: lines (uPlot); stacked, bars, pie, heat (ECharts). What each gets is in docs/monitor.md.
// A page loads the library of its kinds beside this file; without it the table below stays.
(() => {
  "use strict";

  const style = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const PALETTE = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `--p${n}`);
  const colour = (series, i) =>
    (series.state && style(`--s-${series.state}`)) || style(PALETTE[i % PALETTE.length]);
  const ink = () => style("--bs-body-color");
  const rule = () => style("--edge");

  // Times as on all pages (times.js): in UTC, or in the zone of the reader who wants that.
  const isLocal = () => document.documentElement.dataset.times === "local";
  const parts = (at) => {
    const date = new Date(at * 1000);
    const shown = isLocal() ? new Date(date.getTime() - date.getTimezoneOffset() * 60000) : date;
    return shown.toISOString();
  };
  const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

  // A value between gaps is no line: it is drawn as a point.
  const alone = (values) =>
    values.some((value, i) => value !== null && (values[i - 1] ?? values[i + 1] ?? null) === null);

  const lines = (canvas, data) => {
    const [first, last] = [data.x[0], data.x[data.x.length - 1]];
    const axis = { stroke: ink(), grid: { stroke: rule(), width: 1 }, ticks: { stroke: rule() } };
    // 24 hours; the date at midnight, the seconds where the minutes do not tell the ticks apart.
    const when = (at, step) => {
      const iso = parts(at);
      if (step < 60) return iso.slice(11, 19);
      return step >= 86400 || iso.slice(11, 16) === "00:00" ? iso.slice(5, 10) : iso.slice(11, 16);
    };
    const times = { values: (_, ticks, __, ___, step) => ticks.map((at) => when(at, step)) };
    const numbers = { values: (_, ticks) => ticks.map((n) => figures.format(n)) };
    const options = {
      width: canvas.clientWidth,
      height: 240,
      tzDate: (seconds) => {
        const date = new Date(seconds * 1000);
        return isLocal() ? date : uPlot.tzDate(date, "Etc/UTC");
      },
      scales: {
        // one point alone: an hour around it
        x: { range: () => (first === last ? [first - 1800, last + 1800] : [first, last]) },
        y: { range: (_, low, high) => [Math.min(0, low), high > low ? high * 1.05 : 1] },
      },
      axes: [{ ...axis, ...times }, { ...axis, ...numbers, label: data.unit, size: 64 }],
      series: [
        { value: (_, at) => (at ? parts(at).slice(0, 16).replace("T", " ") : "") },
        ...data.series.map((series, i) => ({
          label: series.name,
          stroke: colour(series, i),
          width: 1.5,
          dash: i >= PALETTE.length ? [6, 3] : undefined,
          points: { show: alone(series.values) },
        })),
      ],
    };
    const plot = new uPlot(options, [data.x, ...data.series.map((s) => s.values)], canvas);
    return {
      resize: () => plot.setSize({ width: canvas.clientWidth, height: 240 }),
      destroy: () => plot.destroy(),
    };
  };

  const common = (data) => ({
    animation: false,
    textStyle: { color: ink(), fontFamily: "inherit" },
    // Text on the canvas: a tooltip of HTML would bring its own styles, which the policy forbids.
    tooltip: { renderMode: "richText", trigger: "axis" },
    grid: { left: 64, right: 16, top: 36, bottom: 44 },
    aria: { enabled: true },
  });
  // Above the drawing, beside the name of the unit, whose middle stands above the axis.
  const legend = (data) => {
    const left = 80 + Math.max(0, 3.5 * ((data.unit || "").length - 6));
    return { type: "scroll", top: 0, left, right: 0, textStyle: named() };
  };
  const scaled = { splitLine: { lineStyle: { color: "rgba(128,128,128,.25)" } } };
  const named = () => ({ color: ink() });

  // The last bucket goes on until its end, or until now.
  const onward = (x) => {
    const last = x[x.length - 1];
    const end = Math.min(last + (last - x[x.length - 2]), Math.floor(Date.now() / 1000));
    return end > last ? [...x, end] : x; // of one alone the width is not known
  };

  const stacked = (data) => ({
    ...common(data),
    legend: legend(data),
    xAxis: { type: "time", axisLabel: named() },
    yAxis: { type: "value", name: data.unit, nameTextStyle: named(), axisLabel: named(), ...scaled },
    useUTC: !isLocal(),
    series: data.series.map((series, i) => ({
      name: series.name,
      type: "line",
      stack: "all",
      symbol: data.x.length < 3 ? "circle" : "none",
      step: "end",
      lineStyle: { width: 1, color: colour(series, i) },
      areaStyle: { color: colour(series, i), opacity: 0.9 },
      itemStyle: { color: colour(series, i) },
      data: onward(data.x).map((at, n) => [at * 1000, series.values[n] ?? series.values[n - 1]]),
    })),
  });

  // Bars of times have these beside their names in UTC.
  const categories = (data) =>
    data.at ? data.at.map((at) => parts(at).slice(5, 16).replace("T", " ")) : data.categories;

  const bars = (data) => ({
    ...common(data),
    legend: data.series.length > 1 ? legend(data) : undefined,
    xAxis: { type: "category", data: categories(data), axisLabel: named() },
    yAxis: { type: "value", name: data.unit, nameTextStyle: named(), axisLabel: named(), ...scaled },
    series: data.series.map((series, i) => ({
      name: series.name,
      type: "bar",
      stack: data.stacked ? "all" : undefined,
      itemStyle: { color: colour(series, i) },
      data: series.values,
    })),
  });

  const pie = (data) => ({
    ...common(data),
    tooltip: { renderMode: "richText", trigger: "item" },
    series: [
      {
        type: "pie",
        radius: ["35%", "70%"],
        label: { color: ink(), formatter: "{b}: {c}" },
        data: data.series.map((series, i) => ({
          name: series.name,
          value: series.values[0],
          itemStyle: { color: colour(series, i) },
        })),
      },
    ],
  });

  const heat = (data) => ({
    ...common(data),
    tooltip: { renderMode: "richText", trigger: "item" },
    grid: { left: 150, right: 16, top: 16, bottom: 120 },
    xAxis: { type: "category", data: data.columns, axisLabel: { ...named(), rotate: 45 } },
    yAxis: { type: "category", data: data.rows, axisLabel: named() },
    visualMap: {
      min: 0,
      max: Math.max(1, ...data.cells.map((cell) => cell[2])),
      orient: "horizontal",
      left: "center",
      bottom: 0,
      textStyle: named(),
      inRange: { color: [style("--heat-low") || "#fde0c5", style("--heat-high") || "#8b1e2d"] },
    },
    series: [{ type: "heatmap", data: data.cells, label: { show: data.cells.length <= 400 } }],
  });

  const KINDS = { stacked, bars, pie, heat };

  const chart = (canvas, data, kind) => {
    const plot = echarts.init(canvas, null, { height: kind === "heat" ? 420 : 280 });
    plot.setOption(KINDS[kind](data));
    return { resize: () => plot.resize(), destroy: () => plot.dispose() };
  };

  const empty = (data) =>
    !(data.x || data.categories || data.cells || data.series || []).length ||
    (data.series && !data.series.length);

  const say = (figure, words) => {
    const note = document.createElement("p");
    note.className = "hint";
    note.textContent = words;
    figure.querySelector(".canvas").replaceChildren(note);
    figure.dataset.drawn = "nothing";
  };

  const show = async (figure) => {
    let answer;
    try {
      answer = await fetch(figure.dataset.src, { headers: { Accept: "application/json" } });
    } catch {
      return say(figure, "The numbers could not be read: the server does not answer.");
    }
    const data = await answer.json().catch(() => ({}));
    if (!answer.ok) return say(figure, data.message || `The server answers ${answer.status}.`);
    if (empty(data)) return say(figure, data.note || "Nothing to draw for this choice.");
    const canvas = figure.querySelector(".canvas");
    const kind = figure.dataset.plot;
    let drawn;
    const draw = () => {
      if (drawn) drawn.destroy();
      canvas.replaceChildren();
      drawn = kind === "lines" ? lines(canvas, data) : chart(canvas, data, kind);
      figure.dataset.drawn = kind;
    };
    draw();
    if (data.complete === false) {
      const note = document.createElement("p");
      note.className = "hint incomplete";
      note.textContent = "The last point is of a time that goes on: not complete.";
      figure.append(note);
    }
    new ResizeObserver(() => drawn.resize()).observe(canvas);
    new MutationObserver(draw).observe(document.documentElement, {
      attributeFilter: ["data-bs-theme", "data-times"],
    });
  };

  for (const figure of document.querySelectorAll("figure.plot[data-src]")) show(figure);
})();
