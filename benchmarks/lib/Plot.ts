/** The ratios of a run as one picture: how many times as fast as each peer, with the goals. */
import * as Charts from "echarts/charts"
import * as Components from "echarts/components"
import * as ECharts from "echarts/core"
import * as Renderers from "echarts/renderers"
import type { Row } from "./Bench.ts"

ECharts.use([
  Charts.BarChart,
  Charts.ScatterChart,
  Components.GridComponent,
  Components.LegendComponent,
  Components.MarkLineComponent,
  Components.TitleComponent,
  Renderers.SVGRenderer
])

const LINE = 22
const MET = "#3b7ddd"
const MISSED = "#c0392b"
const NO_GOAL = "#a9b8cc"

/** Only rows that compare with a peer of one's own kind: neither a budget nor a part of ours is one. */
const shown = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> =>
  rows.filter(({ peerName }) => !peerName.startsWith("a budget") && !peerName.endsWith(" alone"))

export const render = (rows: ReadonlyArray<Row>, subtitle: string): string => {
  const bars = shown(rows).toReversed()
  const chart = ECharts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: 1080,
    height: 130 + bars.length * LINE
  })
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: { text: "How many times as fast as the peer (logarithmic)", subtext: subtitle, left: 12, top: 8 },
    legend: { right: 16, top: 12, data: ["ratio", "goal"] },
    grid: { left: 530, right: 60, top: 78, bottom: 40 },
    xAxis: { type: "log", logBase: 2, min: 0.25, axisLabel: { formatter: "{value}×" } },
    yAxis: [
      {
        type: "category",
        data: bars.map((row) => `${row.name}  ⁄  ${row.peerName}`),
        axisLabel: { fontSize: 10, interval: 0 },
        axisTick: { show: false }
      },
      {
        type: "category",
        position: "right",
        data: bars.map((row) => `${Number(row.ratio.toPrecision(3))}×`),
        axisLabel: { fontSize: 10, interval: 0 },
        axisLine: { show: false },
        axisTick: { show: false }
      }
    ],
    series: [
      {
        name: "ratio",
        type: "bar",
        barWidth: 12,
        itemStyle: { color: MET },
        data: bars.map((row) => ({
          value: row.ratio,
          itemStyle: { color: row.met === null ? NO_GOAL : row.met ? MET : MISSED }
        })),
        markLine: {
          silent: true,
          symbol: "none",
          label: { show: false },
          lineStyle: { color: "#666666", type: "solid", width: 1 },
          data: [{ xAxis: 1 }]
        }
      },
      {
        name: "goal",
        type: "scatter",
        symbol: "diamond",
        symbolSize: 8,
        itemStyle: { color: "#222222" },
        data: bars.flatMap((row, i) => row.goal === null ? [] : [[row.goal, i]])
      }
    ]
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return `${svg}\n`
}
