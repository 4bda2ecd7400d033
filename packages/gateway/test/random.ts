/** Small, even, and the same for everybody. */
export const makeRandom = (seed: number) => {
  let state = seed
  const next = () => {
    state = state + 0x6d2b79f5 | 0
    let t = Math.imul(state ^ state >>> 15, 1 | state)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0) / 4_294_967_296
  }
  return {
    next,
    below: (n: number) => Math.floor(next() * n),
    pick: <A>(list: ReadonlyArray<A>): A => list[Math.floor(next() * list.length)]!
  }
}
