/**
 * How a TDLib client is opened, here and in the benchmarks.
 */
import { join } from "node:path"

/** Options for `tdl.createClient`; `name` is what the client calls its device, all its files go into `directory`. */
export const make = (name: string, directory: string) => ({
  apiId: 12345,
  apiHash: "0123456789abcdef0123456789abcdef",
  databaseDirectory: join(directory, "database"),
  filesDirectory: join(directory, "files"),
  tdlibParameters: {
    use_message_database: true,
    use_secret_chats: true,
    use_chat_info_database: true,
    use_file_database: true,
    system_language_code: "en",
    application_version: "1.0",
    device_model: name,
    system_version: "test"
  }
})

/** An online TDLib answers requests for secret chats after 2 seconds, an offline one after 3. */
export const stayOnline = { _: "setOption", name: "online", value: { _: "optionValueBoolean", value: true } } as const
