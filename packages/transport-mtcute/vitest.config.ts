import { fileURLToPath } from "node:url"
import { defineProject } from "vitest/config"

export default defineProject({
  test: {
    name: "transport-mtcute",
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    setupFiles: [fileURLToPath(new URL("../../vitest.setup.ts", import.meta.url))]
  }
})
