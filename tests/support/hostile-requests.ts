import fc from 'fast-check'
import { type Document, operationsOf } from './document.ts'
import { brokenEscape, type EdgedSchema, hostileJson, hostileText, strangeName } from './hostile-values.ts'
import { exampleOf, formType, resolve } from './wrong-input.ts'

/** A request of an operation of which some is wrong, or much, or nothing. */
export interface HostileRequest {
  who: Who
  /** From the root of the document's server, with a query. */
  target: string
  method: string
  headers: Record<string, string>
  body: string | undefined
}

/** Who asks: an admin by a JWT or by a cookie, a client by its secret, nobody, or somebody with what is no credential. */
export type Who = 'token' | 'cookie' | 'client' | 'nobody' | 'garbage'

/** An operation of a document, and the requests that are made of it. */
export interface Target {
  name: string
  method: string
  path: string
  requests: fc.Arbitrary<HostileRequest>
}

/** A member of a body, a form or a query: its name, and its value as it is sent. */
type Pair = readonly [name: string, value: string]
type Operation = ReturnType<typeof operationsOf>[number]

/**
 * Requests of every operation of a document.
 * @param good a good value of a parameter or a field, by its name
 * @param bodyOf a good body of an operation, by its id; undefined for what its schema has as examples
 */
export function targetsOf(
  document: Document,
  good: Record<string, string>,
  bodyOf: (operationId: string) => object | undefined = () => undefined,
): Target[] {
  return operationsOf(document).map((operation) => ({
    name: operation.name,
    method: operation.method,
    path: operation.path,
    requests: requestsOf(document, operation, good, bodyOf),
  }))
}

function requestsOf(
  document: Document,
  { method, path, operation }: Operation,
  good: Record<string, string>,
  bodyOf: (operationId: string) => object | undefined,
): fc.Arbitrary<HostileRequest> {
  const parameters = (operation.parameters ?? []).map(({ schema, ...rest }) => ({
    ...rest,
    schema: resolve(document, schema) as EdgedSchema,
  }))
  const [[type, content] = []] = Object.entries(operation.requestBody?.content ?? {})
  const schema = content && resolve(document, content.schema)
  const example = schema && (bodyOf(operation.operationId ?? '') ?? exampleOf(document, schema, good))
  const fields = Object.entries(schema?.properties ?? {}).map(([name, field]) => ({
    name,
    schema: resolve(document, field) as EdgedSchema,
    good: ((example ?? {}) as Record<string, unknown>)[name] ?? good[name],
  }))
  const inPath = parameters.filter((parameter) => parameter.in === 'path')
  const isOAuth = path.startsWith('/oauth2/')
  return fc
    .record({
      who: fc.constantFrom<Who[]>(
        'token',
        'cookie',
        'token',
        'cookie',
        isOAuth ? 'client' : 'token',
        'nobody',
        'garbage',
      ),
      filled: fc.tuple(...inPath.map(({ name, schema: { maxLength } }) => pathValue(good[name] ?? 'x', maxLength))),
      query: query(
        parameters.filter((parameter) => parameter.in === 'query'),
        good,
      ),
      headers: headers(parameters.filter((parameter) => parameter.in === 'header')),
      body: type === undefined ? fc.constant(undefined) : bodies(fields, type === formType, example),
    })
    .map(({ who, filled, query: pairs, headers: given, body }) => {
      const at = inPath.reduce((all, { name }, n) => all.replace(`{${name}}`, filled[n] ?? ''), path)
      return {
        who,
        method: method.toUpperCase(),
        target: pairs.length > 0 ? `${at}?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}` : at,
        headers: { ...(type !== undefined && { 'content-type': type }), ...given },
        body,
      }
    })
}

// What a URL would be another one with is no value of a parameter.
const isSegment = (value: string) => !/^(\.|%2e){0,2}$/i.test(value)

function pathValue(good: string, maxLength?: number): fc.Arbitrary<string> {
  const hostile = fc.oneof(hostileText({ maxLength: maxLength ?? 64 }).map(encoded), brokenEscape)
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant(good) },
    { weight: 1, arbitrary: fc.constantFrom('me', 'nobody') },
    { weight: 2, arbitrary: hostile.filter((value) => isSegment(value) && value.length < 12_000) },
  )
}

type Parameter = { name: string; schema: EdgedSchema }

function query(parameters: Parameter[], good: Record<string, string>): fc.Arbitrary<Pair[]> {
  const value = ({ name, schema }: Parameter) =>
    fc.oneof(
      { weight: 2, arbitrary: fc.constant(encoded(good[name] ?? textOf(schema.example ?? schema.enum?.[0]))) },
      { weight: 4, arbitrary: hostileText(schema).map(encoded) },
      { weight: 1, arbitrary: brokenEscape },
    )
  const known = parameters.map((parameter) => value(parameter).map((given): Pair => [parameter.name, given]))
  const unknown = fc.tuple(strangeName.map(encoded), hostileText().map(encoded))
  const one = fc.oneof(...known.map((arbitrary) => ({ weight: 2, arbitrary })), { weight: 1, arbitrary: unknown })
  const most = parameters.length > 0 ? 4 : 1
  return fc
    .array(one, { maxLength: most })
    .filter((pairs) => pairs.reduce((length, [name, text]) => length + name.length + text.length, 0) < 12_000)
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value ?? 'x'))

// Only what can be in a header at all, and is looked at.
function headers(parameters: Parameter[]): fc.Arbitrary<Record<string, string>> {
  const named = Object.fromEntries(parameters.map(({ name, schema }) => [name, hostileText(schema).map(encoded)]))
  const accept = fc.constantFrom('*/*', 'text/html', 'application/xml', 'application/json;q=0', ',', 'x'.repeat(1_000))
  const id = fc.constantFrom('', 'x', 'x'.repeat(1_000), '%00', '../x', '0f8fad5b-d9cb-469f-a165-70867728950e')
  return fc.record({ ...named, accept, 'x-request-id': id }, { requiredKeys: [] }) as fc.Arbitrary<
    Record<string, string>
  >
}

interface Field {
  name: string
  schema: EdgedSchema
  good: unknown
}

function bodies(fields: Field[], isForm: boolean, example: unknown): fc.Arbitrary<string> {
  const given = Object.entries((example ?? {}) as object).map(([name, value]) => [name, value as unknown] as const)
  const render = (pairs: readonly Pair[]) =>
    isForm
      ? pairs.map(([name, value]) => `${encoded(name)}=${value}`).join('&')
      : `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`
  const goodValue = (value: unknown) => (isForm ? encoded(textOf(value)) : JSON.stringify(value))
  const hostile = ({ schema, good }: Field) =>
    isForm ? fc.oneof(hostileText(schema).map(encoded), brokenEscape) : hostileJson(schema, good)
  const change = fields.map((field) => hostile(field).map((value): Pair => [field.name, value]))
  const extra = fc.tuple(strangeName, isForm ? hostileText().map(encoded) : hostileJson({}, 'x'))
  const whole = isForm ? fc.constantFrom('', '&&&', '=', '{}', 'x'.repeat(70_000)) : hostileJson({}, example)
  const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength: number) => fc.array(arbitrary, { maxLength })
  const mixture = fc
    .record({
      changes: change.length > 0 ? some(fc.oneof(...change), 3) : fc.constant([]),
      dropped: some(fc.constantFrom('', ...fields.map(({ name }) => name)), 1),
      extras: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: some(extra, 2) }),
      isRepeated: fc.nat(9).map((n) => n === 0),
    })
    .map(({ changes, dropped, extras, isRepeated }) => {
      const changed = new Map([...given.map(([name, value]): Pair => [name, goodValue(value)]), ...changes])
      for (const name of dropped) changed.delete(name)
      return render([...changed, ...extras, ...(isRepeated ? changes : [])])
    })
  return fc.oneof({ weight: 8, arbitrary: mixture }, { weight: 1, arbitrary: whole })
}

// Half of a surrogate pair has no bytes in UTF-8.
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
