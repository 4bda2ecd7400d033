import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import { suite } from "./storeSuite.ts"

suite("SQLite", SqliteClient.layer({ filename: ":memory:" }))
