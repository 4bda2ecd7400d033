/**
 * A connection of the platform's `WebSocket` (core.telegram.org/mtproto/mtproto-transports).
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import * as Datacenter from "../Datacenter.ts"

/** More than this unread is more than a server has to say: such a connection ends. */
const HIGH_WATER_MARK = 64 * 1024 * 1024

const NAMES = ["pluto", "venus", "aurora", "vesta", "flora"]

/** Telegram's own; data centres that it does not have are taken by their address. */
export const urlOf = (datacenter: Datacenter.Datacenter, testServers: boolean): string => {
  const name = NAMES[datacenter.id - 1]
  const path = testServers ? "apiws_test" : "apiws"
  return name === undefined ? plainUrlOf(datacenter) : `wss://${name}.web.telegram.org/${path}`
}

export const plainUrlOf = ({ host, port }: Datacenter.Datacenter): string =>
  `ws://${host.includes(":") ? `[${host}]` : host}:${port}/apiws`

/** Whether an address is one of Telegram's test servers. */
export const isTest = ({ host }: Datacenter.Datacenter): boolean =>
  [...Datacenter.test, ...Datacenter.testIpv6].some((known) => known.host === host)

export const make = (url: string, openTimeout: Duration.Input): Effect.Effect<Socket.Socket> =>
  Effect.provideService(
    Socket.makeWebSocket(url, { protocols: ["binary"], openTimeout, highWaterMark: HIGH_WATER_MARK }),
    Socket.WebSocketConstructor,
    (address, protocols) => new globalThis.WebSocket(address, protocols as Array<string>)
  )
