import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { announcesBody, assertFormBody } from '../http/body.ts'
import type { Env } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import { passwordFault } from '../resources/password.ts'
import { Email, Name } from '../resources/profile.ts'

/** Lets a form through that a page of ours has sent: any site can make a browser send one, with its cookies. */
export function ownForms(baseUrl: string) {
  return createMiddleware<Env>(async (c, next) => {
    const origin = c.req.header('origin')
    const isNamed = origin !== undefined && origin !== 'null'
    // A page that must not tell where it is sends `null`; a browser says by itself whether it is one of ours.
    const isOwn = isNamed ? origin === baseUrl : c.req.header('sec-fetch-site') === 'same-origin'
    if (!isOwn) {
      throw new ProblemError('csrf', `This form was not sent by a page of this service. Open ${baseUrl} and try again.`)
    }
    await next()
  })
}

/** The fields of a form, as text. @throws ProblemError `unsupported-media-type` for a body that is none */
export async function fieldsOf(c: Context): Promise<Record<string, string>> {
  // A form without a field that is filled in sends nothing.
  if (!announcesBody((name) => c.req.header(name))) return {}
  assertFormBody(c)
  return Object.fromEntries(new URLSearchParams(await c.req.text()))
}

const profile = { name: Name, email: Email }

/** What is wrong with what somebody gives for a new account, by field: all of it at once. It tells nothing of who has one. */
export function faultsOf(
  { password, ...values }: Record<keyof typeof profile | 'password', string>,
  brand: string,
): Record<string, string> {
  const fields = Object.keys(profile) as (keyof typeof profile)[]
  const faults = fields.map((field) => [field, profile[field].safeParse(values[field]).error?.issues[0]?.message])
  faults.push(['password', passwordFault(password, { email: values.email, brand })?.detail])
  return Object.fromEntries(faults.flatMap(([field, fault]) => (fault ? [[field, `It ${fault}.`]] : [])))
}

/** Where to go on: a path of ours, whatever was asked for. */
export function safeNext(next: string | undefined, fallback = '/account'): string {
  // A browser reads a backslash as a slash, drops tabs and line feeds, and takes two slashes for another host.
  if (next === undefined || !/^\/(?![/\\])[^\\\p{Cc}]*$/u.test(next)) return fallback
  // Better-Auth would refuse a sign-in that is to lead to a slash in disguise.
  return /^[^?#]*%(2f|5c)/i.test(next) ? fallback : next
}

/** A path of ours with a query; what is undefined is left out. */
export function withQuery(path: string, query: Record<string, string | undefined>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  if (given.length === 0) return path
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(given).toString()}`
}
