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
  /** What stands there. A statement begins a line, and so must not begin with a parenthesis. */
  kind: 'value' | 'statement' | 'rule' | 'permission'
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

  const replace = (
    at: Span,
    replacement: string,
    { words = replacement, kind = 'value' }: { words?: string; kind?: Mutation['kind'] } = {},
  ) => {
    const line = text.slice(0, at.start).split('\n').length
    const { start, end } = at
    found.push({ start, end, replacement, line, words: oneLine(`${textOf(at)} → ${words}`), kind })
  }
  const condition = (test: Expression) => {
    conditions.add(test)
    // Who notices that a part of it does not count notices that none does.
    if (operatorOf(test) !== '&&') replace(test, 'true')
    if (operatorOf(test) !== '||') replace(test, 'false')
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
        if (operatorOf(part) !== operator) replace(part, operator === '&&' ? 'true' : 'false')
      }
    },
    BinaryExpression: (node) => {
      const other = boundary[node.operator]
      if (other !== undefined) replace(node, `${textOf(node.left)} ${other} ${textOf(node.right)}`)
      if ((other !== undefined || equality.has(node.operator)) && !conditions.has(node)) condition(node)
    },
    ExpressionStatement: ({ expression }) => {
      const call = expression.type === 'AwaitExpression' ? expression.argument : expression
      if (call.type === 'CallExpression') replace(expression, 'void 0', { words: 'nothing', kind: 'statement' })
    },
    Property: ({ key, value }) => {
      if (key.type !== 'Identifier' || key.name !== 'rules' || value.type !== 'ArrayExpression') return
      for (const rule of value.elements) {
        if (rule?.type === 'SpreadElement') replace(rule.argument, '[]')
        else if (rule) replace(rule, '() => {}', { words: 'nothing', kind: 'rule' })
      }
    },
    CallExpression: (node) => {
      const [permission, options] = node.arguments
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'requires' || !permission) return
      const other = (text: string) => replace(node, text, { kind: 'permission' })
      if (textOf(permission) !== everybodys) other(`requires(${everybodys}${options ? `, ${textOf(options)}` : ''})`)
      // Of a path without a user nobody is the one.
      const path = /path: '([^']*)'/.exec(text.slice(node.end))?.[1]
      if (options) other(`requires(${textOf(permission)})`)
      else if (path?.includes('{id}')) other(`requires(${textOf(permission)}, { orSelf: true })`)
    },
  }).visit(program)
  return found
}

function operatorOf(node: Expression): string | undefined {
  return node.type === 'LogicalExpression' ? node.operator : undefined
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

/** A fault of one source file, with its number among all. */
export interface Mutant extends Mutation {
  id: number
  file: string
}

/** The name of a mutant, whatever its line and its number. */
export function keyOf({ file, words }: Pick<Mutant, 'file' | 'words'>): string {
  return `${file}: ${words}`
}

/** The mutants of source files, numbered in order. The second that is alike in a file says so. */
export function mutantsOf(files: readonly Source[]): Mutant[] {
  const times = new Map<string, number>()
  const found = files.flatMap(({ name, text }) =>
    mutationsOf(name, text).map((mutation) => ({ ...mutation, file: name })),
  )
  return found.map((mutation, id) => {
    const key = keyOf(mutation)
    const time = (times.get(key) ?? 0) + 1
    times.set(key, time)
    return { ...mutation, id, words: time === 1 ? mutation.words : `${mutation.words} (${time})` }
  })
}
