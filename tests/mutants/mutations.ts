import { type Expression, parseSync, type Span, Visitor } from 'oxc-parser'

/** One small fault that a test should notice. */
export interface Mutation {
  /** Where in the text it stands. */
  start: number
  end: number
  /** What stands there instead. */
  replacement: string
  line: number
  /** What is replaced by what, on one line. */
  words: string
  /** Whether it stands where a line begins, and so must not begin with a parenthesis. */
  isStatement: boolean
}

const boundary: Record<string, string> = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' }
const equality = new Set(['===', '!=='])

/**
 * The faults of a source file: a condition that always or never holds, a part of one that does not count, a bound that is
 * off by one, a call that is left out, a rule that is not asked, a permission that everybody has.
 * @throws SyntaxError when `text` is no TypeScript
 */
export function mutationsOf(name: string, text: string): Mutation[] {
  const { program, errors } = parseSync(name, text)
  if (errors[0]) throw new SyntaxError(`${name}: ${errors[0].message}`)
  const found: Mutation[] = []
  const conditions = new Set<unknown>()
  const textOf = ({ start, end }: Span) => text.slice(start, end)

  const replace = (at: Span, replacement: string, { words = replacement, isStatement = false } = {}) => {
    const line = text.slice(0, at.start).split('\n').length
    const { start, end } = at
    found.push({ start, end, replacement, line, words: oneLine(`${textOf(at)} → ${words}`), isStatement })
  }
  const condition = (test: Expression) => {
    conditions.add(test)
    replace(test, 'true')
    replace(test, 'false')
  }

  new Visitor({
    IfStatement: ({ test }) => condition(test),
    ConditionalExpression: ({ test }) => condition(test),
    // What never ends tells nothing.
    ForStatement: ({ test }) => void conditions.add(test),
    WhileStatement: ({ test }) => void conditions.add(test),
    LogicalExpression: ({ operator, left, right }) => {
      if (operator === '??') return
      for (const part of [left, right]) {
        conditions.add(part)
        // What it is made of is looked at by itself.
        const isChain = part.type === 'LogicalExpression' && part.operator === operator
        if (!isChain) replace(part, operator === '&&' ? 'true' : 'false')
      }
    },
    BinaryExpression: (node) => {
      const other = boundary[node.operator]
      if (other !== undefined) replace(node, `${textOf(node.left)} ${other} ${textOf(node.right)}`)
      if ((other !== undefined || equality.has(node.operator)) && !conditions.has(node)) condition(node)
    },
    ExpressionStatement: ({ expression }) => {
      const call = expression.type === 'AwaitExpression' ? expression.argument : expression
      if (call.type === 'CallExpression') replace(expression, 'void 0', { words: 'nothing', isStatement: true })
    },
    Property: ({ key, value }) => {
      if (key.type !== 'Identifier' || key.name !== 'rules' || value.type !== 'ArrayExpression') return
      for (const rule of value.elements) {
        if (rule?.type === 'SpreadElement') replace(rule.argument, '[]')
        else if (rule) replace(rule, '() => {}', { words: 'nothing' })
      }
    },
    CallExpression: (node) => {
      const [permission, options] = node.arguments
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'requires' || !permission) return
      if (textOf(permission) !== everybodys)
        replace(node, `requires(${everybodys}${options ? `, ${textOf(options)}` : ''})`)
      replace(node, `requires(${textOf(permission)}${options ? '' : ', { orSelf: true }'})`)
    },
  }).visit(program)
  return found
}

/** The permission that everybody has for what is theirs. */
const everybodys = "'account:read'"

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ')
}

/** A source file. */
export interface Source {
  name: string
  text: string
}

/** A mutation of one source file, with its number among all. */
export interface Mutant {
  id: number
  file: string
  mutation: Mutation
}

/** The mutants of source files, numbered in order. The second that is alike in a file says so. */
export function mutantsOf(files: readonly Source[]): Mutant[] {
  const times = new Map<string, number>()
  const mutations = files.flatMap(({ name, text }) => mutationsOf(name, text).map((mutation) => ({ name, mutation })))
  return mutations.map(({ name, mutation }, id) => {
    const key = `${name} ${mutation.words}`
    const time = (times.get(key) ?? 0) + 1
    times.set(key, time)
    const words = time === 1 ? mutation.words : `${mutation.words} (${time})`
    return { id, file: name, mutation: { ...mutation, words } }
  })
}
