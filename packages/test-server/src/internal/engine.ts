/**
 * From packets to packets: finds the key and the session of what comes in, lets
 * the session decide, executes queries, and encrypts what sessions have to say.
 *
 * Knows connections only as {@link Link}s, and time only through the world's
 * clock and `after`: everything that happens is a reaction to a packet or a
 * timer, and is over when {@link settle} returns.
 */
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as Result from "effect/Result"
import * as Faults from "./faults.ts"
import type { AuthKey } from "./model.ts"
import { permanent } from "./model.ts"
import * as Rpc from "./rpc.ts"
import * as Salts from "./salts.ts"
import * as Service from "./service.ts"
import * as Session from "./session.ts"
import * as World from "./world.ts"

/** A connection. */
export interface Link {
  /** The data centre that it leads to. */
  readonly dc: number
  /** The sessions that speak over it. */
  readonly sessions: Set<Session.Session>
  readonly isOpen: () => boolean
  /** Whether the client reads too slowly to be sent more. */
  readonly isFull: () => boolean
  readonly send: (packets: ReadonlyArray<Uint8Array>) => void
  readonly quickAck: (token: number) => void
  readonly transportError: (code: number) => void
  /** Closes after what was sent. */
  readonly close: () => void
  /** Breaks off. */
  readonly destroy: () => void
  /** Breaks off in so many seconds, unless told again. */
  readonly keepAlive: (seconds: number) => void
  /** The connection that a session's packets are to be answered over, if it is not this one. */
  readonly route?: (key: AuthKey, sessionId: bigint) => Link
  /** Whether what there is to say waits for more; asked each time that there is something. */
  readonly holds?: () => boolean
  /** How long the client wants to wait for something to be said to it. */
  readonly wait?: (times: Extract<Session.Event, { readonly _tag: "HttpWait" }>) => void
}

/** Something that a session wants done, and that waits until the client has read its answers. */
interface Postponed {
  readonly key: AuthKey
  readonly session: Session.Session
  readonly event: Session.Event
}

interface Attachment {
  readonly key: AuthKey
  link: Link | undefined
}

export interface Engine {
  readonly world: World.World
  readonly runtime: Rpc.Runtime
  readonly attachments: Map<Session.Session, Attachment>
  readonly links: Set<Link>
  /** What waits at a connection that is full, in order. */
  readonly postponed: Map<Link, Array<Postponed>>
}

const UNKNOWN_KEY = -404

export const make = (options: {
  readonly world: World.World
  readonly stubs: Rpc.Runtime["stubs"]
  readonly after: Rpc.Runtime["after"]
  readonly run: Rpc.Runtime["run"]
  readonly report: Rpc.Runtime["report"]
}): Engine => {
  const attachments: Engine["attachments"] = new Map()
  return {
    world: options.world,
    attachments,
    links: new Set(),
    postponed: new Map(),
    runtime: {
      ...options,
      waiting: new WeakMap(),
      computing: new WeakMap(),
      disconnect: (session) => attachments.get(session)?.link?.destroy()
    }
  }
}

/** Whether a packet is a plain one, of a key exchange. `undefined` if it is nothing at all. */
export const isPlain = (packet: Uint8Array): boolean | undefined => {
  const id = Packet.authKeyId(packet)
  return id === undefined ? undefined : id === 0n
}

// -----------------------------------------------------------------------------
// receiving
// -----------------------------------------------------------------------------

/**
 * Takes an encrypted packet, and says which queries were in it. Call {@link settle} after the last one that is at hand.
 */
export const receive = (
  engine: Engine,
  from: Link,
  packet: Uint8Array,
  wantsQuickAck: boolean
): ReadonlyArray<bigint> => {
  const { world } = engine
  const forced = Faults.takeTransport(world.faults)
  const key = world.keys.get(Packet.authKeyId(packet) ?? 0n)
  if (forced !== undefined || key === undefined || key.dc !== from.dc || World.isExpired(key, World.seconds(world))) {
    world.counters.framesRefused++
    from.transportError(forced ?? UNKNOWN_KEY)
    from.close()
    return []
  }
  const opened = Packet.open(world.crypto, { keys: [key.key], from: "client", packet })
  if (Result.isFailure(opened)) {
    world.counters.framesRefused++
    from.destroy()
    return []
  }
  const message = opened.success
  const link = from.route?.(key, message.sessionId) ?? from
  const session = sessionOf(engine, key, link, message.sessionId)
  if (session === undefined) {
    link.destroy()
    return []
  }
  if (wantsQuickAck) link.quickAck(message.quickAck)
  const now = World.seconds(world)
  const events = Session.receive(session, world.settings.rules, message, {
    now: world.clock(),
    // a client that binds a temporary key cannot say it again with another salt: the message is signed as it is
    saltAccepted: isUnbound(key) || Salts.isAccepted(world.crypto, key.salts, message.salt, now),
    currentSalt: Salts.current(world.crypto, key.salts, now),
    refuse: Faults.takePacket(world.faults, permanent(key)?.authorization?.account.phone)
  })
  world.dirty.add(session)
  perform(engine, link, events.map((event) => ({ key, session, event })))
  return events.flatMap((event) => event._tag === "Query" ? [event.msgId] : [])
}

/** How many bytes of answers are gathered before they are written. */
const GATHER = 256 * 1024

/** Does one thing after the other, as long as the client reads what comes of it; the rest waits. */
const perform = (engine: Engine, link: Link, events: ReadonlyArray<Postponed>): void => {
  let gathered = 0
  for (let i = 0; i < events.length; i++) {
    const { event, key, session } = events[i]!
    if (link.isFull()) {
      engine.postponed.set(link, events.slice(i))
      return
    }
    const before = session.producedBytes
    react(engine, key, session, link, event)
    gathered += session.producedBytes - before
    if (gathered > GATHER) {
      flush(engine, session)
      gathered = 0
    }
  }
}

const isUnbound = (key: AuthKey): boolean => key.expiresAt !== undefined && key.boundTo === undefined

const react = (engine: Engine, key: AuthKey, session: Session.Session, link: Link, event: Session.Event): void => {
  const { runtime, world } = engine
  const { rules } = world.settings
  // a fault, or the loss of the key, may have ended the connection or the session meanwhile
  if (!link.isOpen() || !engine.attachments.has(session)) {
    abandon(session, event)
    return
  }
  switch (event._tag) {
    case "Query":
      Rpc.execute(runtime, key, session, event.msgId, event.body)
      return
    case "Dropped":
      Rpc.drop(runtime, session, event.msgId)
      return
    case "HttpWait":
      link.wait?.(event)
      return
    case "KeepAlive":
      link.keepAlive(event.seconds)
      return
    case "FutureSalts": {
      const now = World.seconds(world)
      Session.reply(
        session,
        rules,
        world.clock(),
        Service.futureSalts({
          reqMsgId: event.msgId,
          now,
          salts: Salts.future(world.crypto, key.salts, now, event.count)
        })
      )
      return
    }
    case "DestroySession": {
      const other = event.sessionId === session.id ? undefined : key.sessions.get(event.sessionId)
      if (other !== undefined) World.endSession(world, key, other)
      Session.reply(session, rules, world.clock(), Service.sessionDestroyed(event.sessionId, other !== undefined))
      return
    }
    case "DestroyKey": {
      Session.reply(session, rules, world.clock(), Service.keyDestroyed)
      flush(engine, session)
      World.removeKey(world, key)
      return
    }
  }
}

/** A query that was not executed: as if it had never come, so that it is executed if it comes again. */
const abandon = (session: Session.Session, event: Session.Event): void => {
  if (event._tag === "Query") session.received.delete(event.msgId)
}

/** The session of a packet, speaking over this connection from now on. `undefined` if there is no room for it. */
const sessionOf = (engine: Engine, key: AuthKey, link: Link, id: bigint): Session.Session | undefined => {
  const { attachments, world } = engine
  const known = key.sessions.get(id)
  const attachment = known === undefined ? undefined : attachments.get(known)
  if (known !== undefined && attachment?.link === link) return known
  if (link.sessions.size >= world.limits.sessionsPerConnection) return undefined
  if (known !== undefined && attachment !== undefined) {
    attachment.link?.sessions.delete(known)
    attachment.link = link
    link.sessions.add(known)
    Session.attach(known)
    return known
  }
  if (key.sessions.size >= world.limits.sessionsPerKey && !dropOldest(engine, key)) return undefined
  const session = Session.make(id, World.randomLong(world), world.clock())
  key.sessions.set(id, session)
  attachments.set(session, { key, link })
  link.sessions.add(session)
  world.counters.sessionsCreated++
  return session
}

/** Ends the session of a key that has been without a connection for longest. */
const dropOldest = (engine: Engine, key: AuthKey): boolean => {
  let oldest: Session.Session | undefined
  for (const session of key.sessions.values()) {
    if (engine.attachments.get(session)?.link !== undefined) continue
    if (oldest === undefined || session.lastSeen < oldest.lastSeen) oldest = session
  }
  if (oldest === undefined) return false
  World.endSession(engine.world, key, oldest)
  return true
}

/** Makes the sessions of a world that was set up again known: none of them is connected. */
export const adopt = (engine: Engine): void => {
  for (const key of engine.world.keys.values()) {
    for (const session of key.sessions.values()) engine.attachments.set(session, { key, link: undefined })
  }
}

/** A connection is gone. Its sessions stay for a while. */
export const detach = (engine: Engine, link: Link): void => {
  engine.links.delete(link)
  for (const { event, session } of engine.postponed.get(link) ?? []) abandon(session, event)
  engine.postponed.delete(link)
  for (const session of link.sessions) {
    const attachment = engine.attachments.get(session)
    if (attachment?.link !== link) continue
    attachment.link = undefined
    session.lastSeen = engine.world.clock()
    Session.detach(session)
  }
  link.sessions.clear()
}

/** Ends the sessions that have been without a connection for too long. */
export const sweep = (engine: Engine): void => {
  const oldest = engine.world.clock() - engine.world.limits.sessionLifetime
  for (const [session, attachment] of engine.attachments) {
    if (attachment.link === undefined && session.lastSeen < oldest) {
      World.endSession(engine.world, attachment.key, session)
    }
  }
}

// -----------------------------------------------------------------------------
// sending
// -----------------------------------------------------------------------------

/** Writes everything that sessions have to say, and lets go of those that ended. */
export const settle = (engine: Engine): void => {
  const { dirty, ended } = engine.world
  engine.world.revision++
  while (dirty.size > 0 || ended.size > 0) {
    for (const session of ended) {
      ended.delete(session)
      release(engine, session)
    }
    for (const session of dirty) {
      dirty.delete(session)
      flush(engine, session)
    }
  }
}

const release = (engine: Engine, session: Session.Session): void => {
  const link = engine.attachments.get(session)?.link
  engine.attachments.delete(session)
  Rpc.dropAll(engine.runtime, session)
  if (link === undefined) return
  link.sessions.delete(session)
  if (link.sessions.size === 0) link.close()
}

const flush = (engine: Engine, session: Session.Session): void => {
  const { world } = engine
  const attachment = engine.attachments.get(session)
  const link = attachment?.link
  // without a connection things wait in the session; with a slow one, until it has caught up
  if (attachment === undefined || link === undefined || !link.isOpen() || link.isFull()) return
  if (link.holds !== undefined && Session.hasNews(session) && link.holds()) return
  const { key } = attachment
  const packets = Session.flush(session, world.settings.rules, world.clock())
  if (packets.length === 0) return
  const salt = Salts.current(world.crypto, key.salts, World.seconds(world))
  link.send(packets.map((packet) =>
    Packet.seal(world.crypto, {
      key: key.key,
      from: "server",
      message: { ...packet, salt, sessionId: session.id }
    }).packet
  ))
}

/** A connection that was full has room again: its sessions go on speaking. */
export const resume = (engine: Engine, link: Link): void => {
  for (const session of link.sessions) engine.world.dirty.add(session)
}

/** Whether something waits until the client has read its answers. */
export const isPostponing = (engine: Engine, link: Link): boolean => engine.postponed.has(link)

/** Goes on with what waits at a connection. */
export const performPostponed = (engine: Engine, link: Link): void => {
  const postponed = engine.postponed.get(link)
  if (postponed === undefined) return
  engine.postponed.delete(link)
  perform(engine, link, postponed)
}
