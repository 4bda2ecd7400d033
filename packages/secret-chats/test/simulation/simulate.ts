/** One run: a conversation in a bad world, then quiet, then a comparison. */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import type * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import * as Sequence from "@effect-mtproto/secret-chats/protocol/Sequence"
import type { MessageRow } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as Effect from "effect/Effect"
import type { Head } from "./Disk.ts"
import type { Faults } from "./Faults.ts"
import * as OtherClient from "./OtherClient.ts"
import type { Side } from "./Side.ts"
import * as SimulatedCrypto from "./SimulatedCrypto.ts"
import { World } from "./World.ts"

export interface Report {
  readonly seed: number
  readonly messages: number
  readonly crashes: number
  readonly dropped: number
  readonly refused: number
  readonly restarts: number
  readonly rekeys: number
  readonly closed: boolean
  readonly violations: ReadonlyArray<string>
  readonly tail: ReadonlyArray<string>
}

const DAY = 86_400_000

/** Rules that only somebody who has the keys can break, and the message that breaks them. */
type Forgery = "parity-in" | "parity-out" | "in-seq-negative" | "in-seq-ahead" | "in-seq-fell" | "layer-fell"
const forgeries: ReadonlyArray<Forgery> = [
  "parity-in",
  "parity-out",
  "in-seq-negative",
  "in-seq-ahead",
  "in-seq-fell",
  "layer-fell"
]

interface Plan {
  readonly faults: Faults
  readonly rounds: number
  /** Of a round with very many messages. */
  readonly flood: number
  readonly end: "open" | "discard" | "both-discard" | "forgery"
  /** Layers of Alice's and Bob's programs at the beginning; 144 is the present one. */
  readonly layers: readonly [number, number]
}

const planOf = (world: World): Plan => {
  const { chance } = world
  const bad = chance.pick([0.2, 1, 1, 2])
  const some = (probability: number) => chance.happens(0.25) ? 0 : probability * bad
  return {
    faults: {
      crashAtStore: some(0.02),
      crashAtCall: some(0.03),
      storeFails: some(0.02),
      readFails: some(0.01),
      drop: some(0.1),
      twice: some(0.1),
      late: some(0.1),
      callLost: some(0.05),
      answerLost: some(0.08),
      refuse: some(0.04),
      internal: some(0.04),
      duplicate: some(0.3),
      latency: chance.pick([20, 500, 5_000])
    },
    rounds: 8 + chance.below(22),
    flood: chance.happens(0.06) ? 0.15 : 0,
    end: chance.pick(["open", "open", "open", "open", "open", "open", "discard", "discard", "both-discard", "forgery"]),
    layers: chance.happens(0.7)
      ? [144, 144]
      : chance.pick([
        [144, chance.pick(OtherClient.layers)],
        [chance.pick(OtherClient.layers), 144],
        [chance.pick(OtherClient.layers), chance.pick(OtherClient.layers)]
      ])
  }
}

/** Of this many runs, the last is one of a crowd. */
const everyNth = 5

export const simulate = (seed: number, onLine?: (line: string) => void): Report => {
  const world = new World(seed, seed % everyNth === 0, onLine)
  const { server } = world
  try {
    if (world.isCrowd) crowd(world)
    else couple(world)
  } catch (error) {
    world.violate(error instanceof Error ? error.stack ?? error.message : String(error))
  }
  const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, one) => total + one, 0)
  return {
    seed,
    messages: sum(world.sides.map(({ disk }) => disk.sealed.size)),
    crashes: sum(world.machines.map(({ crashes }) => crashes)),
    dropped: server.dropped,
    refused: server.refused,
    restarts: server.restarts,
    rekeys: sum(world.sides.map(({ disk }) => disk.rekeys)),
    closed: world.alice.phase === "Closed",
    violations: world.violations,
    tail: world.tail
  }
}

/** Two people with one chat. */
const couple = (world: World): void => {
  const { alice, bob, chance, virtual } = world
  const plan = planOf(world)
  world.faults = plan.faults
  for (const [i, layer] of plan.layers.entries()) if (layer !== 144) world.pair[i]!.become(layer)
  for (const machine of world.machines) machine.start()
  converse(world, plan)
  const forged = plan.end === "forgery" ? quiet(world) && forge(world) : undefined
  if (plan.end === "discard" || plan.end === "both-discard") {
    for (const device of chance.happens(0.5) ? [alice, bob] : [bob, alice]) {
      device.act("discard", "", (chats, chatId) => chats.discard(chatId, { deleteHistory: chance.happens(0.3) }))
      virtual.pass(chance.latency(5_000))
      if (plan.end === "discard" && device.deeds.at(-1)?.what === "discard") break
    }
  }
  if (world.violations.length === 0) {
    quiet(world)
    compare(world, world.pair, forged)
  }
}

/**
 * Three people, one of them with two devices, and several chats between them at the same time, some of them between the
 * same two.
 */
const crowd = (world: World): void => {
  const { chance, server, virtual } = world
  const { faults, flood: floods } = planOf(world)
  world.faults = faults
  for (const machine of world.machines) machine.start()
  const asked = Array.from({ length: 3 + chance.below(3) }, () => chance.below(6))
  // twice the same two, so that whose message is whose matters
  if (asked.length > 3) asked[1] = asked[0]!
  const rounds = 12 + chance.below(14)
  for (let round = 0; round < rounds; round++) {
    const machine = chance.pick(world.machines)
    if (chance.happens(0.3) || round === 0) {
      const next = asked.pop()
      if (next !== undefined) ask(world, next)
    }
    for (const side of world.sides) agree(side)
    const ready = machine.sides.filter(({ phase }) => phase === "Ready")
    for (const side of ready.length === 0 ? [] : [chance.pick(ready), chance.pick(ready)]) {
      if (chance.happens(floods / 2)) {
        const partner = world.partner(side)
        if (partner !== undefined) flood(world, [side, partner])
      } else if (chance.happens(0.03)) {
        side.act("discard", "", (chats, chatId) => chats.discard(chatId, { deleteHistory: chance.happens(0.3) }))
      } else deed(world, side, round)
    }
    const requested = machine.sides.find(({ phase }) => phase === "Requested")
    if (requested !== undefined && chance.happens(0.05)) {
      requested.act("discard", "", (chats, chatId) => chats.decline(chatId))
    }
    if (chance.happens(0.05)) machine.crash(undefined, "somewhere")
    if (chance.happens(0.05)) machine.stop()
    if (chance.happens(0.03)) server.restart()
    if (chance.happens(0.06)) virtual.jump(chance.pick([HOUR, DAY, 8 * DAY]))
    virtual.pass(chance.latency(chance.pick([1_000, 10_000, 60_000])))
    if (world.violations.length > 0) return
  }
  for (const next of asked) ask(world, next)
  quiet(world)
  if (world.violations.length > 0) return
  for (const side of world.sides) {
    const partner = world.partner(side)
    if (partner === undefined) without(side)
    // each pair once, from whoever has asked
    else if (server.parties(side.disk.chatId!)!.creator === side.name) compare(world, [side, partner], undefined)
  }
}

/** Somebody asks somebody for a chat. */
const ask = (world: World, which: number): void => {
  const [asking, userId] = ([["alice", 2n], ["bob", 1n], ["bob's tablet", 3n], ["carol", 2n], ["alice", 3n], [
    "carol",
    1n
  ]] as const)[which]!
  const machine = world.machines.find(({ name }) => name === asking)!
  world.virtual.fork(
    Effect.ignore(Effect.suspend(() => machine.chats?.request({ userId, accessHash: 22n }) ?? Effect.void))
  )
}

/** A chat that did not come to be, or that another device has: it was closed, and nothing was ever said. */
const without = (side: Side): void => {
  const { disk, name, world } = side
  if (disk.chatId === undefined) return
  const phase = disk.state()?.phase
  const reason = phase?._tag === "Closed" ? phase.reason._tag : phase?._tag ?? "none"
  const isElsewhere = world.server.parties(disk.chatId)?.acceptor !== undefined
  const allowed = isElsewhere
    ? ["TakenElsewhere", "Withdrawn", "ByMe", "Refused"]
    : ["TakenElsewhere", "Withdrawn", "Declined", "ByMe", "Refused"]
  if (!allowed.includes(reason)) world.violate(`${name}: a chat without another end is ${reason}`)
  if (reason === "ByMe" && !side.deeds.some(({ what }) => what === "discard")) {
    world.violate(`${name}: closed by nobody`)
  }
  if (disk.sealed.size > 0) world.violate(`${name}: something was said in a chat without another end`)
}

// ----- talking

const converse = (world: World, plan: Plan): void => {
  const { alice, bob, chance, server, virtual } = world
  for (let i = 0; i < 200 && alice.chats === undefined; i++) virtual.pass(1_000)
  virtual.fork(
    Effect.ignore(Effect.suspend(() => alice.chats?.request({ userId: 2n, accessHash: 22n }) ?? Effect.void))
  )
  // Most conversations begin when the key is agreed on, some are interrupted before.
  if (chance.happens(0.9)) {
    for (let i = 0; i < 2_000 && alice.phase !== "Ready"; i++) {
      virtual.pass(1_000)
      if (alice.phase === "none" && i % 50 === 49) {
        virtual.fork(Effect.ignore(Effect.suspend(() =>
          alice.phase === "none" && alice.chats !== undefined
            ? alice.chats.request({ userId: 2n, accessHash: 22n })
            : Effect.void
        )))
      }
      agree(bob)
      if (alice.phase === "Closed") return
    }
  } else virtual.pass(chance.below(3_000))
  for (let round = 0; round < plan.rounds; round++) {
    const device = chance.pick([alice, bob])
    agree(bob)
    if (chance.happens(plan.flood)) flood(world, world.pair)
    else deed(world, device, round)
    if (device.disk.layer < 144 && chance.happens(0.05)) {
      device.become(chance.pick([...OtherClient.layers.filter((layer) => layer > device.disk.layer), 144]))
      device.act("layer", "", (chats, chatId) => chats.notifyLayer(chatId))
    }
    if (chance.happens(0.05)) device.device.crash(undefined, "somewhere")
    if (chance.happens(0.05)) device.device.stop()
    if (chance.happens(0.03)) server.restart()
    if (chance.happens(0.08)) virtual.jump(chance.pick([HOUR, DAY, 8 * DAY]))
    virtual.pass(chance.latency(chance.pick([10, 1_000, 60_000])))
    if (world.violations.length > 0) return
  }
}

const HOUR = 3_600_000

/** Whoever has not answered a request does. */
const agree = (device: Side): void => {
  if (device.phase !== "Requested" || !device.world.chance.happens(0.2)) return
  device.act("accept", "", (chats, chatId) => chats.accept(chatId))
}

const say = (device: Side, text: string): void => {
  device.act("text", text, (chats, chatId) => chats.sendText(chatId, text))
}

/** So many messages that both keys are used up. */
const flood = (world: World, sides: ReadonlyArray<Side>): void => {
  for (const device of sides) for (let i = 0; i < 60; i++) say(device, `${device.name} flood ${world.serial++}`)
}

/** Random ids of messages that a device has in its history. */
const remembered = (device: Side): ReadonlyArray<MessageRow> =>
  device.disk.chatId === undefined
    ? []
    : Effect.runSync(device.disk.driver.messages({ chatId: device.disk.chatId, limit: 1000 }))

const deed = (world: World, device: Side, round: number): void => {
  const { chance } = world
  const name = `${device.name} ${round}`
  const someIds = () => {
    const rows = remembered(device)
    return rows.length === 0 ? [] : Array.from({ length: 1 + chance.below(2) }, () => chance.pick(rows).randomId)
  }
  switch (chance.below(18)) {
    case 0: {
      const randomIds = someIds()
      if (randomIds.length === 0) return
      const deed = device.act("delete", "", (chats, chatId) => chats.deleteMessages(chatId, randomIds))
      if (deed !== undefined) deleted(device, deed, randomIds)
      return
    }
    case 1:
      if (chance.happens(0.3)) device.act("flush", "", (chats, chatId) => chats.flushHistory(chatId))
      return
    case 2:
      device.act("ttl", "", (chats, chatId) => chats.setTtl(chatId, chance.pick([0, 0, 2, 30, 3600])))
      return
    case 3: {
      const ids = someIds()
      device.act("read", "", (chats, chatId) => chats.readMessages(chatId, ids))
      return
    }
    case 4: {
      const date = Math.floor(world.virtual.now / 1000) - chance.below(10)
      device.act("mark", "", (chats, chatId) => chats.markRead(chatId, date))
      return
    }
    case 5: {
      const ids = someIds()
      device.act("screenshot", "", (chats, chatId) => chats.screenshotTaken(chatId, ids))
      return
    }
    case 6:
      device.act("noop", "", (chats, chatId) => chats.noop(chatId))
      return
    case 7:
      device.act("layer", "", (chats, chatId) => chats.notifyLayer(chatId))
      return
    case 8:
      device.act("typing", "", (chats, chatId) => chats.setTyping(chatId))
      return
    case 9:
      return say(device, `${name} ${"long text ".repeat(450 + chance.below(900))}`)
    case 10:
      return device.otherProgram(`${name} elsewhere`)
    case 11: {
      const bytes = new Uint8Array(1 + chance.below(3_000)).fill(round)
      device.act("file", "", (chats, chatId) =>
        chats.sendFile(
          chatId,
          Media.message(Media.document({ fileName: "a.bin", mimeType: "application/x" }), { text: `${name} file` }),
          FileSource.fromBytes(bytes)
        ))
      return
    }
    case 12:
      device.act(
        "text",
        `${name} brief`,
        (chats, chatId) => chats.send(chatId, { ...DecryptedMessage.message(`${name} brief`), ttl: 5 })
      )
      return
    default:
      for (let i = chance.below(4); i >= 0; i--) say(device, `${name} text ${i}`)
  }
}

/** Ids that were asked to be deleted, by deed. */
const deletions = new WeakMap<
  World,
  Array<{ readonly deed: { readonly outcome: string }; readonly ids: ReadonlyArray<bigint> }>
>()

const deleted = (device: Side, deed: { readonly outcome: string }, ids: ReadonlyArray<bigint>): void => {
  const list = deletions.get(device.world) ?? []
  deletions.set(device.world, [...list, { deed, ids }])
}

// ----- quiet

const isSettled = (world: World): boolean => {
  if (!world.server.isQuiet) return false
  for (const machine of world.machines) if (machine.journal.size !== machine.events) return false
  if (!world.isCrowd) return isPairSettled(world.alice, world.bob)
  return world.sides.every((side) => {
    const partner = world.partner(side)
    if (partner !== undefined) return isPairSettled(side, partner)
    const { head } = side.disk
    return head === undefined || isOver(head)
  })
}

const isOver = (head: Head): boolean => head.phase._tag === "Closed" && head.phase.discard !== true

const isPairSettled = (one: Side, other: Side): boolean => {
  const heads = [one.disk.head, other.disk.head] as const
  if (heads.some((head) => head?.phase._tag === "Closed")) {
    return heads.every((head) => head === undefined || isOver(head))
  }
  if (heads.every((head) => head === undefined)) return true
  const [a, b] = heads
  if (a?.keys === undefined || b?.keys === undefined) return false
  return [a, b].every(({ keys }) => keys!.previous === undefined && keys!.exchange._tag === "Idle") &&
    a.sequence.myIn === b.sequence.myOut && b.sequence.myIn === a.sequence.myOut &&
    b.sequence.myOut - b.sequence.hisIn <= 2 && a.sequence.myOut - a.sequence.hisIn <= 2 &&
    one.disk.pending.size === 0 && other.disk.pending.size === 0
}

/** Whether somebody waits for what became of a text: no run of the program has taken the answer along. */
const isWaiting = (world: World): boolean =>
  world.sides.some(({ crashes, deeds }) =>
    crashes === 0 && deeds.some(({ outcome, what }) => what === "text" && outcome === "open")
  )

/** Nothing goes wrong any more; both sides say something now and then until all is settled. */
const quiet = (world: World): boolean => {
  world.heal()
  world.trace("quiet")
  for (let i = 0; i < 60; i++) {
    world.virtual.pass(i < 8 ? 20_000 : 400_000)
    if (i > 1 && isSettled(world) && !isWaiting(world)) return true
    for (const device of world.sides) {
      if (device.phase === "Requested") device.act("accept", "", (chats, chatId) => chats.accept(chatId))
      if (device.phase === "Ready") device.act("noop", "", (chats, chatId) => chats.noop(chatId))
    }
    world.virtual.pass(2_000)
  }
  const show = (device: Side) => {
    const { head, pending } = device.disk
    return `${device.name}: ${JSON.stringify(head?.phase)} ${JSON.stringify(head?.sequence)} ${
      JSON.stringify([...pending])
    } ${head?.keys?.exchange._tag} previous: ${
      head?.keys?.previous !== undefined
    } events ${device.device.journal.size}/${device.device.events}`
  }
  world.violate(`does not settle: ${world.sides.map(show).join("; ")}`)
  return false
}

// ----- somebody who has the keys

const encodeLayer = TlCodec.encode(SecretApi.DecryptedMessageLayer)

/** A message that breaks a rule, from whoever has the keys of the sender; the rule that it breaks. */
const forge = (world: World): { readonly victim: Side; readonly rule: string } | undefined => {
  const { chance } = world
  if (world.pair.some((device) => device.phase !== "Ready")) return undefined
  const victim = chance.pick(world.pair)
  const sender = otherOf(world.pair, victim)
  const state = sender.disk.state()!
  const { hisIn } = victim.disk.head!.sequence
  const kind = chance.pick(forgeries.filter((name) => name !== "in-seq-fell" || hisIn > 0))
  const numbers = Sequence.toWire(state.role, {
    inIndex: kind === "in-seq-ahead"
      ? state.sequence.myIn + 1 + chance.below(5)
      : kind === "in-seq-fell"
      ? hisIn - 1
      : hisIn,
    outIndex: state.sequence.myOut
  })
  const payload = encodeLayer({
    _tag: "decryptedMessageLayer",
    randomBytes: new Uint8Array(31),
    layer: kind === "layer-fell" ? victim.disk.head!.sequence.inOrderLayer - 1 : 144,
    inSeqNo: kind === "in-seq-negative" ? -1 : kind === "parity-in" ? numbers.inSeqNo ^ 1 : numbers.inSeqNo,
    outSeqNo: kind === "parity-out" ? numbers.outSeqNo ^ 1 : numbers.outSeqNo,
    message: {
      _tag: "decryptedMessageService",
      randomId: 5n,
      action: { _tag: "decryptedMessageActionNoop" }
    }
  })
  const bytes = Frame.seal(SimulatedCrypto.crypto, {
    key: SharedKey.make(SimulatedCrypto.crypto, state.keys!.current.bytes),
    fromCreator: state.role === "creator",
    payload
  })
  world.trace(`forged for ${victim.name}: ${kind}`)
  world.server.inject(victim.name, {
    _tag: "updateNewEncryptedMessage",
    message: {
      _tag: "encryptedMessageService",
      randomId: 5n,
      chatId: state.chatId,
      date: Math.floor(world.virtual.now / 1000),
      bytes
    },
    qts: 1_000_000
  })
  return { victim, rule: kind.startsWith("parity") ? "parity" : kind }
}

// ----- comparing

const of = <Tag extends Events.Event["_tag"]>(device: Side, tag: Tag) =>
  device.disk.events.filter((e): e is Extract<Events.Event, { readonly _tag: Tag }> => e._tag === tag)

type Pair = readonly [Side, Side]

const otherOf = (pair: Pair, side: Side): Side => side === pair[0] ? pair[1] : pair[0]

const compare = (
  world: World,
  pair: Pair,
  forged: { readonly victim: Side; readonly rule: string } | false | undefined
): void => {
  const [alice, bob] = pair
  const require = (holds: boolean, problem: () => string) => {
    if (!holds) world.violate(problem())
  }
  const closed = alice.phase === "Closed" || bob.phase === "Closed"
  for (const device of pair) {
    // what is on the disk can be read again
    device.disk.state()
    const closes = of(device, "ChatClosed")
    require(
      closes.length === (device.phase === "Closed" ? 1 : 0),
      () => `${device.name} was closed ${closes.length} times`
    )
  }
  if (closed) reasons(world, pair, forged)
  else if (forged !== undefined && forged !== false) world.violate(`a forgery was taken: ${forged.rule}`)
  for (const from of pair) transcript(from, otherOf(pair, from), closed)
  if (closed || alice.phase !== "Ready") return

  const [a, b] = [alice.disk.state()!, bob.disk.state()!]
  require(Buffer.compare(a.keys!.current.bytes, b.keys!.current.bytes) === 0, () => "the keys differ")
  require(a.keys!.current.fingerprint === b.keys!.current.fingerprint, () => "the fingerprints differ")
  require(Buffer.compare(a.keyHash!, b.keyHash!) === 0, () => "the key pictures differ")
  for (const device of pair) {
    const first = of(device, "ChatReady")
    require(
      first.length === 1 && Buffer.compare(first[0]!.keyHash, a.keyHash!) === 0,
      () => "not the first key picture"
    )
  }
  for (const device of pair) {
    const other = otherOf(pair, device)
    const { layer } = other.disk
    const { his } = device.disk.head!.layers
    require(his <= layer && (other.client !== undefined || his === 144), () => `${his} is not his layer`)
  }
  histories(world, pair)
}

const reasons = (
  world: World,
  pair: Pair,
  forged: { readonly victim: Side; readonly rule: string } | false | undefined
): void => {
  const [alice, bob] = pair
  const reason = (device: Side) => device.disk.state()?.phase
  const [a, b] = [reason(alice), reason(bob)]
  const tags = [a, b].map((phase) => phase?._tag === "Closed" ? phase.reason._tag : "none")
  if (forged !== undefined && forged !== false) {
    const phase = reason(forged.victim)
    const rule = phase?._tag === "Closed" && phase.reason._tag === "Violation" ? phase.reason.rule : undefined
    if (rule !== forged.rule) world.violate(`${forged.rule} was answered with ${JSON.stringify(phase)}`)
    const other = tags[pair.indexOf(otherOf(pair, forged.victim))]
    if (other !== "ByPeer") world.violate(`the other side of a violation closed with ${other}`)
    return
  }
  const discards = pair.map((device) => device.deeds.some((deed) => deed.what === "discard"))
  for (const [i, tag] of tags.entries()) {
    const mine = discards[i]!
    const allowed = mine
      ? ["ByMe", "ByPeer", "Declined", "Withdrawn", "none"]
      : ["ByPeer", "Declined", "Withdrawn", "none", "ByMe"]
    // to whoever never learned whether its acceptance was taken, the end looks as if another device had the chat
    if (discards[1 - i] && of(pair[i]!, "ChatReady").length === 0) allowed.push("TakenElsewhere")
    // a first exchange that the server does not let happen ends the chat without anybody's wish
    const refused = tags.includes("Refused") && ["Refused", "Declined", "Withdrawn", "ByPeer", "none"].includes(tag)
    if (!refused && (!allowed.includes(tag) || (tag === "ByMe" && !mine))) {
      world.violate(`closed with ${tags.join(" and ")}, ${discards.join(" and ")} discarded`)
    }
  }
}

/**
 * Whether the server has refused a message for good. An internal error, a failed chain and the end of a chat leave it open
 * whether a call before, that had no answer, or another program's, has brought the message through.
 */
const isRefusal = ({ error }: Extract<Events.Event, { readonly _tag: "MessageFailed" }>): boolean =>
  error.type === "DATA_INVALID" || error.type === "FLOOD_WAIT_300"

/** What `from` has said is what `to` has heard, once and in order. */
const transcript = (from: Side, to: Side, closed: boolean): void => {
  const { world } = from
  const require = (holds: boolean, problem: () => string) => {
    if (!holds) world.violate(`${from.name} to ${to.name}: ${problem()}`)
  }
  const heard = of(to, "NewMessage")
  const byIndex = new Map(heard.map((event) => [event.index, event]))
  require(byIndex.size === heard.length, () => "a number was shown twice")
  require(heard.every((event, i) => i === 0 || heard[i - 1]!.index < event.index), () => "out of order")
  require(new Set(heard.map((event) => event.randomId)).size === heard.length, () => "a message was shown twice")
  const delivered = of(from, "MessageDelivered").map((event) => event.index)
  const deliveredSet = new Set(delivered)
  require(deliveredSet.size === delivered.length, () => "a delivery was told twice")
  const failed = new Set(of(from, "MessageFailed").map((event) => event.index))
  const refused = new Set(of(from, "MessageFailed").flatMap((event) => isRefusal(event) ? [event.index] : []))
  const sent = new Set(of(from, "MessageSent").map((event) => event.index))
  const reached = to.disk.head?.sequence.myIn ?? 0
  for (const [index, versions] of from.disk.sealed) {
    const { kind, randomId } = versions[0]!.record
    const shown = byIndex.get(index)
    const replaced = versions.length > 1
    require(versions.length <= 2, () => `${index} was replaced twice`)
    if (kind !== "message") {
      require(shown === undefined, () => `${index} is no message`)
      continue
    }
    const said = from.disk.texts.get(index)
    require(said !== undefined, () => `${index} is not in the history`)
    if (shown !== undefined) {
      require(shown.message.message === said?.text && shown.randomId === randomId, () => `${index} is another message`)
      require(!refused.has(index), () => `${index} was refused and arrived`)
    } else if (!replaced && (index < reached || !closed)) {
      require(false, () => `${index} is lost: ${said?.text.slice(0, 30)}`)
    }
    if (!replaced && !closed) {
      require(!failed.has(index), () => `${index} failed and stayed`)
      if (index < from.disk.head!.sequence.hisIn) {
        require(deliveredSet.has(index), () => `the delivery of ${index} was not told`)
      }
    }
    if (refused.has(index)) require(!deliveredSet.has(index), () => `${index} failed and was delivered`)
  }
  const requests = of(to, "MessagesMissing").length
  require(from.disk.answers <= requests, () => `${requests} requests were answered ${from.disk.answers} times`)
  // what the user was told about each text
  const texts = new Map([...from.disk.texts].map(([index, { randomId }]) => [randomId, index]))
  for (const deed of from.deeds) {
    if (deed.what !== "text") continue
    if (deed.outcome === "open" && !closed && from.crashes === 0) require(false, () => `no answer to ${deed.text}`)
    if (deed.outcome !== "done") continue
    for (const randomId of deed.randomIds) {
      const index = texts.get(randomId)
      require(index !== undefined, () => `sent and not stored: ${deed.text}`)
      if (index === undefined) continue
      require(!refused.has(index), () => `${index} was reported as sent and failed`)
      if (!closed) {
        require(
          sent.has(index) || deliveredSet.has(index) || from.disk.sealed.get(index)!.length > 1,
          () => `${index} was never sent`
        )
      }
    }
  }
}

/** The stored histories agree about every message that no deletion was about to meet on its way. */
const histories = (world: World, pair: Pair): void => {
  const [alice, bob] = pair
  if (pair.some((device) => of(device, "HistoryFlushed").length > 0)) return
  const uncertain = new Set(
    (deletions.get(world) ?? []).flatMap(({ deed, ids }) => deed.outcome === "done" ? [] : ids)
  )
  for (const [from, to] of [[alice, bob], [bob, alice]] as const) {
    const timed = new Set([...from.disk.texts.values()].flatMap((text) => text.ttl > 0 ? [text.randomId] : []))
    const open = new Set(
      of(from, "MessageFailed").flatMap((event) => isRefusal(event) ? [] : [event.randomId])
    )
    const counts = ({ randomId }: MessageRow) => ![uncertain, timed, open].some((ids) => ids.has(randomId))
    const mine = remembered(from).filter((row) => row.outgoing && row.state !== "failed" && counts(row))
    const theirs = remembered(to).filter((row) => !row.outgoing && counts(row))
    const list = (rows: ReadonlyArray<MessageRow>) => rows.map((row) => row.index).toSorted((x, y) => x - y).join(" ")
    if (list(mine) !== list(theirs)) {
      world.violate(`histories differ: ${from.name} has ${list(mine)}, ${to.name} has ${list(theirs)}`)
    }
  }
}
