/** What the tests of the two schemas share. */
import * as SchemaAST from "effect/SchemaAST"
import { fromAst } from "../src/internal/fromSchema.ts"
import type { ConstructorLayout } from "../src/internal/layout.ts"
import { resolve } from "../src/internal/layout.ts"

/** All constructors among the exports of a module, under their tags. */
export const constructorsOf = (module: object): ReadonlyMap<string, ConstructorLayout> => {
  const found = new Map<string, ConstructorLayout>()
  const visit = (c: ConstructorLayout) => found.set(c.tag, c)
  for (const value of Object.values(module)) {
    const ast = (value as { readonly ast?: SchemaAST.AST } | undefined)?.ast
    if (ast === undefined || !SchemaAST.isAST(ast)) continue
    const layout = resolve(fromAst(ast))
    if (layout._tag === "object") visit(layout.of)
    if (layout._tag === "union") layout.members.forEach(visit)
  }
  return found
}
