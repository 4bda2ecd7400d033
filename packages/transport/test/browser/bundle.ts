/** What Vite makes of entry.ts for a browser: the code, and everything that it complained about. */
import { fileURLToPath } from "node:url"
import { build, type Rolldown } from "vite"

export const bundle = async (): Promise<{ readonly code: string; readonly warnings: ReadonlyArray<string> }> => {
  const warnings: Array<string> = []
  const warn = (text: string): void => void warnings.push(text)
  const [made] = await build({
    configFile: false,
    root: fileURLToPath(new URL("../..", import.meta.url)),
    customLogger: {
      info: () => {},
      warn,
      warnOnce: warn,
      error: warn,
      clearScreen: () => {},
      hasErrorLogged: () => false,
      hasWarned: false
    },
    build: {
      write: false,
      minify: true,
      target: "es2022",
      lib: { entry: fileURLToPath(new URL("entry.ts", import.meta.url)), formats: ["es"], fileName: "entry" }
    }
  }) as Array<Rolldown.RolldownOutput>
  const [chunk, ...others] = made!.output
  if (others.length > 0 || chunk.imports.length > 0 || chunk.dynamicImports.length > 0) {
    warn("it is not all in one file")
  }
  return { code: chunk.code, warnings }
}
