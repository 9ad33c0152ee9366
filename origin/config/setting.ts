// One setting of the schema: the rule for its value, and what its readers are told of it.

import * as v from 'valibot'

interface About {
  /** For `--help`, the table in docs/settings.md, the JSON Schema and `config print`. */
  readonly description: string
  /** Its value is never shown, and a variable may name a file that holds it. */
  readonly secret?: true
}

/** A setting with a default, or with an example where it has none: both as the file has them, before they are read. */
export function setting<const Rule extends v.GenericSchema>(
  rule: Rule,
  about: About & { readonly default: v.InferInput<Rule> },
): v.OptionalSchema<Rule, v.InferInput<Rule>>
export function setting<const Rule extends v.GenericSchema>(
  rule: Rule,
  about: About & { readonly example: v.InferInput<Rule> },
): v.OptionalSchema<Rule, undefined>
export function setting(
  rule: v.GenericSchema,
  about: About & { readonly default?: unknown; readonly example?: unknown },
): v.GenericSchema {
  const { description, secret = false, default: fallback, example } = about
  const described = v.pipe(v.optional(rule, fallback), v.description(description), v.metadata({ secret }))
  return example === undefined ? described : v.pipe(described, v.examples([example]))
}
