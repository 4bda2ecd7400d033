import { fileURLToPath } from "node:url"
import { defineProject } from "vitest/config"

export default defineProject({
  test: {
    name: "test-server",
    include: ["test/**/*.test.ts"],
    // real sockets and key exchanges, possibly on a machine that is busy with other packages
    testTimeout: 30_000,
    setupFiles: [fileURLToPath(new URL("../../vitest.setup.ts", import.meta.url))]
  }
})
