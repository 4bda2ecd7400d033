// The packages as they are published: compiled, without anything that strips types.
import { registerHooks } from "node:module"

const packages = new URL("../../packages/", import.meta.url)
const name = /^@effect-mtproto\/([a-z-]+)\/([\w/]+)$/

registerHooks({
  resolve: (specifier, context, next) => {
    const found = name.exec(specifier)
    return found === null
      ? next(specifier, context)
      : { url: new URL(`${found[1]}/dist/${found[2]}.js`, packages).href, shortCircuit: true }
  }
})
