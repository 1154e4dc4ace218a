// Each figure.chart of a report holds its data as JSON, see chart.js.
document.querySelectorAll("figure.chart").forEach((figure) => chart(figure, JSON.parse(figure.querySelector("script").textContent)));
