// The configuration file's JSON Schema, for editors and for checks of a file before it is rolled out.

import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import type { SectionSchema } from './settings.ts'

/** Draft 7, which every editor reads. It takes what the file may hold, and a little more where a rule is no pattern. */
export function configJsonSchema(schema: SectionSchema): JsonSchema {
  return toJsonSchema(schema, {
    typeMode: 'input',
    target: 'draft-07',
    // A check is a function; the pattern beside it comes close. Metadata is our own.
    ignoreActions: ['check', 'metadata'],
    overrideSchema({ valibotSchema, jsonSchema }) {
      if (valibotSchema.type !== 'strict_object') return undefined
      // A section may have nothing in it yet, and what must be set may be set elsewhere than in the file.
      const { required: _, ...rest } = jsonSchema
      return { ...rest, type: ['object', 'null'] }
    },
  })
}
