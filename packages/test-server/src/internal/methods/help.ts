/**
 * `help.*`: what clients ask before anything else.
 */
import * as Api from "@effect-mtproto/core/Api"
import type { World } from "../world.ts"
import { anyone, type Entry } from "./method.ts"

const APP_CONFIG_HASH = 1

const configOf = (world: World, dc: number, now: number): Api.Config => ({
  _tag: "config",
  date: now,
  expires: now + 3600,
  testMode: world.testMode,
  // a client that finds another number here asks again without pause
  thisDc: dc,
  dcOptions: world.addresses.map((address) => ({
    _tag: "dcOption",
    static: true,
    thisPortOnly: true,
    ...(address.host.includes(":") ? { ipv6: true } : {}),
    id: address.id,
    ipAddress: address.host,
    port: address.port
  })),
  dcTxtDomainName: "",
  chatSizeMax: 200,
  megagroupSizeMax: 200_000,
  forwardedCountMax: 100,
  onlineUpdatePeriodMs: 210_000,
  offlineBlurTimeoutMs: 5000,
  offlineIdleTimeoutMs: 30_000,
  onlineCloudTimeoutMs: 300_000,
  notifyCloudDelayMs: 30_000,
  notifyDefaultDelayMs: 1500,
  pushChatPeriodMs: 60_000,
  pushChatLimit: 2,
  editTimeLimit: 172_800,
  revokeTimeLimit: 2_147_483_647,
  revokePmTimeLimit: 2_147_483_647,
  ratingEDecay: 2_419_200,
  stickersRecentLimit: 200,
  channelsReadMediaPeriod: 604_800,
  callReceiveTimeoutMs: 20_000,
  callRingTimeoutMs: 90_000,
  callConnectTimeoutMs: 30_000,
  callPacketTimeoutMs: 10_000,
  meUrlPrefix: "https://t.me/",
  captionLengthMax: 1024,
  messageLengthMax: 4096,
  webfileDcId: 4
})

const appConfig = (hash: number): Api.help.AppConfig =>
  hash === APP_CONFIG_HASH
    ? { _tag: "help.appConfigNotModified" }
    : { _tag: "help.appConfig", hash: APP_CONFIG_HASH, config: { _tag: "jsonObject", value: [] } }

export const methods: ReadonlyArray<Entry> = [
  anyone(Api.help.getConfig, (call) => configOf(call.world, call.key.dc, call.now)),
  anyone(Api.help.getNearestDc, (call) => ({
    _tag: "nearestDc",
    country: "XX",
    thisDc: call.key.dc,
    nearestDc: call.world.dcId
  })),
  anyone(Api.help.getAppConfig, (_, request) => appConfig(request.hash))
]
