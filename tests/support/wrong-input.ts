import { type Document, operationsOf, type Schema } from './document.ts'
import type { RequestOptions } from './harness.ts'

/** One string or field of an operation, and how a call of it looks in which that alone is wrong. */
export interface Slot {
  /** The operation and the parameter or the pointer. */
  name: string
  method: string
  path: string
  /** The name of the parameter, or the pointer of the field. */
  at: string
  schema: TypedSchema
  /** Whether the body is a form. */
  isForm: boolean
  /** The target from the root of the document's server, and the request, with this value in the slot. */
  callWith: (value: unknown) => { target: string; options: RequestOptions }
}

interface TypedSchema extends Schema {
  type?: string | string[]
}

/**
 * Every parameter and every field of the bodies of a document.
 * @param good a good value of a parameter or a field, by its name
 */
export function slotsOf(document: Document, good: Record<string, string>): Slot[] {
  return operationsOf(document).flatMap(({ method, path, operation }) => {
    const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in !== 'header')
    const [[type, content] = []] = Object.entries(operation.requestBody?.content ?? {})
    const isForm = type === formType
    const body = content && resolve(document, content.schema)
    const example = body && exampleOf(document, body, good)
    const target = (change: Record<string, string> = {}) => {
      const query = parameters.filter((parameter) => parameter.in === 'query' && change[parameter.name] !== undefined)
      const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => change[name] ?? good[name] ?? 'x')
      const pairs = query.map(({ name }) => `${name}=${change[name] ?? ''}`)
      return pairs.length > 0 ? `${filled}?${pairs.join('&')}` : filled
    }
    const common = { method, path, isForm }
    const options = (given: unknown) => ({ method: method.toUpperCase(), ...sent(given, isForm) })
    return [
      ...parameters.map(
        ({ name, schema }): Slot => ({
          ...common,
          name: `${method} ${path} ${name}`,
          at: name,
          schema: schema as TypedSchema,
          callWith: (value) => ({
            target: target({ [name]: encodeURIComponent(String(value)) }),
            options: options(example),
          }),
        }),
      ),
      ...Object.entries(body?.properties ?? {}).map(
        ([name, schema]): Slot => ({
          ...common,
          name: `${method} ${path} /${name}`,
          at: `/${name}`,
          schema: resolve(document, schema),
          callWith: (value) => ({ target: target(), options: options({ ...(example as object), [name]: value }) }),
        }),
      ),
    ]
  })
}

export const formType = 'application/x-www-form-urlencoded'

function sent(body: unknown, isForm: boolean): RequestOptions {
  if (body === undefined || !isForm) return body === undefined ? {} : { json: body }
  const form = new URLSearchParams(body as Record<string, string>).toString()
  return { body: form, headers: { 'content-type': formType } }
}

/** A schema, or the one that it refers to. */
export function resolve(document: Document, schema: Schema): TypedSchema {
  const name = schema.$ref?.split('/').at(-1)
  return name === undefined ? schema : resolve(document, document.components.schemas[name] ?? {})
}

/** The example of a schema, or one put together of those of its members, or of good values by their names. */
export function exampleOf(
  document: Document,
  { example, properties = {} }: Schema,
  good: Record<string, string>,
): unknown {
  if (example !== undefined) return example
  const values = Object.entries(properties).map(([name, property]) => [
    name,
    good[name] ?? resolve(document, property).example,
  ])
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}
