import type { ZodError } from 'zod'

type Issue = ZodError['issues'][number]
type Of<Code extends Issue['code']> = Extract<Issue, { code: Code }>

// What is counted, one and many, where it is not the value itself that is too big or too small.
const units: Record<string, [string, string]> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
  map: ['entry', 'entries'],
  object: ['field', 'fields'],
  file: ['byte', 'bytes'],
}

// How a text must look, where that has no name which callers know.
const unnamedFormats = new Set(['regex', 'starts_with', 'ends_with', 'includes', 'lowercase', 'uppercase'])

/** What a schema says of a fault. Where it has no words of its own, zod names the types of JavaScript. */
export function wordsFor(issue: Issue, { isQuery }: { isQuery: boolean }): string {
  if (!/^(?:Invalid|Too big|Too small|Unrecognized)\b/.test(issue.message)) return issue.message
  switch (issue.code) {
    case 'invalid_type':
      return wordsForType(issue, isQuery)
    case 'invalid_value':
      return `is not one of: ${issue.values.join(', ')}`
    case 'too_big':
      return wordsForLimit(issue, issue.maximum, 'at most', 'less than')
    case 'too_small':
      return wordsForLimit(issue, issue.minimum, 'at least', 'more than')
    case 'invalid_format':
      return unnamedFormats.has(issue.format)
        ? 'is not of the form that is asked for'
        : `is not of the format ${issue.format}`
    case 'not_multiple_of':
      return `is not a multiple of ${issue.divisor}`
    case 'unrecognized_keys':
      return `holds what is not known: ${issue.keys.join(', ')}`
    case 'invalid_key':
      return 'has a key that is not allowed'
    case 'invalid_element':
      return 'has an entry that is not allowed'
    case 'invalid_union':
    case 'custom':
      return 'is not allowed'
  }
}

function wordsForType({ message, expected }: Of<'invalid_type'>, isQuery: boolean): string {
  if (message.endsWith('received undefined')) return 'is missing'
  if (isQuery && message.endsWith('received array')) return 'is given more than once'
  return expected === 'int' ? 'is not a whole number' : `is not of the type ${expected}`
}

function wordsForLimit(
  { origin, inclusive, exact }: Of<'too_big'> | Of<'too_small'>,
  limit: number | bigint,
  reached: string,
  passed: string,
): string {
  const unit = units[origin]?.[Number(limit) === 1 ? 0 : 1]
  const bound = exact ? 'exactly' : inclusive ? reached : passed
  if (unit) return `must have ${bound} ${limit} ${unit}`
  return `must be ${bound} ${origin === 'date' ? new Date(Number(limit)).toISOString() : limit}`
}
