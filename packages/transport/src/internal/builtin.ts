/**
 * The modules of Node where they are, and nothing where they are not: a bundler for browsers finds no import of them.
 */
export const builtin = <A>(name: string): A | undefined => globalThis.process?.getBuiltinModule?.(name) as A | undefined
