/** TL names (`g_a_or_b`) and the property names of values (`gAOrB`). */

/** The property name of a TL field. */
export const toCamel = (name: string): string => name.replace(/_+(\w)/g, (_, c: string) => c.toUpperCase())

/** The TL field name that a property name stands for, unless an annotation says otherwise. */
export const toSnake = (key: string): string => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
