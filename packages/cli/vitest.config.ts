import { fileURLToPath } from "node:url"
import { defineProject } from "vitest/config"

export default defineProject({
  test: {
    name: "cli",
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    setupFiles: [fileURLToPath(new URL("../../vitest.setup.ts", import.meta.url))]
  }
})
