import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// Run by scripts/postgres.mjs, which starts the server.
export default defineConfig({
  test: {
    name: "postgres",
    include: ["packages/*/test/**/*.postgres.ts"],
    testTimeout: 30_000,
    setupFiles: ["vitest.setup.ts", "vitest.postgres.setup.ts"].map((file) =>
      fileURLToPath(new URL(file, import.meta.url))
    )
  }
})
