/** Results as text: a table for the terminal, a table for the docs. */
import type { Row } from "./Bench.ts"

type Column = readonly [title: string, cell: (row: Row) => string, align: "left" | "right"]

const columns: ReadonlyArray<Column> = [
  ["what", (row) => row.name, "left"],
  ["ours", (row) => `${row.ours} ${row.unit}`, "right"],
  ["peer", (row) => `${row.peer} ${row.unit}`, "right"],
  ["against", (row) => row.peerName, "left"],
  ["ratio", (row) => `${row.ratio}`, "right"],
  ["goal", (row) => row.goal === null ? "" : `${row.goal}`, "right"],
  ["", (row) => row.met === null ? "" : row.met ? "met" : "missed", "left"]
]

const pad = (text: string, width: number, align: Column[2]): string =>
  align === "left" ? text.padEnd(width) : text.padStart(width)

/** One suite as a table of fixed-width columns. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const cells = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row)))]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)))
  return cells.map((line) => line.map((cell, i) => pad(cell, widths[i]!, columns[i]![2])).join("  ").trimEnd()).join(
    "\n"
  )
}

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** The same as a table of Markdown, its columns as wide as the formatter makes them. */
export const markdown = (rows: ReadonlyArray<Row>): string => {
  const cells = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row)))]
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((row) => row[i]!.length)))
  const [head, ...body] = cells.map((row) => line(row.map((cell, i) => pad(cell, widths[i]!, columns[i]![2]))))
  const rule = line(
    columns.map(([, , align], i) => align === "left" ? "-".repeat(widths[i]!) : `${"-".repeat(widths[i]! - 1)}:`)
  )
  return [head, rule, ...body].join("\n")
}

const START = "<!-- figures: written by `npm run bench` -->"
const END = "<!-- end of figures -->"

/** Replaces the figures of a page; a page without the two marks is left alone. */
export const insert = (page: string, figures: string): string => {
  const start = page.indexOf(START)
  const end = page.indexOf(END)
  return start === -1 || end < start
    ? page
    : `${page.slice(0, start + START.length)}\n\n${figures}\n\n${page.slice(end)}`
}
