import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"

// Every test file gets a database of its own: a vault, for one, opens with one passphrase only.
const url = new URL(process.env["POSTGRES_URL"]!)
const name = `test_${randomBytes(6).toString("hex")}`
execFileSync(process.env["POSTGRES_CREATEDB"]!, [name], {
  env: { ...process.env, PGHOST: url.hostname, PGPORT: url.port, PGUSER: url.username, PGPASSWORD: url.password }
})
url.pathname = name
process.env["POSTGRES_URL"] = url.href
